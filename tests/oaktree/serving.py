"""Whole servers on sockets of their own, in the event loop of a test."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from oaktree.v1 import cloud_pb2, cloud_pb2_grpc, compute_pb2, compute_pb2_grpc, operation_pb2_grpc
from openstackoid.oaktree.access.listeners import Listeners
from openstackoid.oaktree.config import Config
from openstackoid.oaktree.server import made
from openstackoid.oaktree.wiring import Parts

Metadata = Sequence[tuple[str, str]]


@dataclass
class Oaktree:
    """A server that listens, and a client of it."""

    addresses: list[str]
    channel: grpc.aio.Channel

    @property
    def clouds(self) -> Any:
        return cloud_pb2_grpc.CloudServiceStub(self.channel)

    @property
    def compute(self) -> Any:
        return compute_pb2_grpc.ComputeServiceStub(self.channel)

    @property
    def operations(self) -> Any:
        return operation_pb2_grpc.OperationServiceStub(self.channel)

    async def servers(self, metadata: Metadata = (), **request: Any) -> tuple[set[tuple[str, str]], Any]:
        """(cloud, name) of all servers, and the summary."""
        found, summary = set(), None
        async for each in self.compute.ListServers(
            compute_pb2.ListServersRequest(**request), metadata=tuple(metadata), timeout=30
        ):
            found |= {(server.location.cloud, server.name) for server in each.servers}
            summary = each.summary if each.HasField("summary") else summary
        return found, summary

    async def names(self, metadata: Metadata = ()) -> list[str]:
        """The clouds that a caller sees."""
        found = await self.clouds.ListClouds(cloud_pb2.ListCloudsRequest(), metadata=tuple(metadata), timeout=30)
        return [each.location.cloud for each in found.clouds]


@contextlib.asynccontextmanager
async def oaktree(
    clouds_yaml: Path, settings: Mapping[str, Any], credentials: grpc.ChannelCredentials | None = None
) -> AsyncIterator[Oaktree]:
    """A server with such a configuration; its client uses the first address."""
    config = Config.model_validate(
        {
            "clouds": str(clouds_yaml),
            "operations": {"database": f"sqlite:///{clouds_yaml.parent}/operations.sqlite"},
            "uploads": {"folder": f"{clouds_yaml.parent}/uploads"},
            "watch": {"interval": 0.05},
            "timeout": 10,
            "threads": 32,
            **settings,
        }
    )
    listeners = Listeners(config)
    parts = Parts.of(config)
    await parts.creates.start()
    server, _ = made(parts, config)
    addresses = listeners.open(server)
    await server.start()
    at = addresses[0]
    channel = grpc.aio.insecure_channel(at) if credentials is None else grpc.aio.secure_channel(at, credentials)
    try:
        yield Oaktree(addresses, channel)
    finally:
        await channel.close(None)
        await server.stop(0)
        await parts.close(1.0)
        listeners.close()
