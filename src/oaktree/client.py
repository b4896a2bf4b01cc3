"""Helpers around the stubs: a channel with the caller's credentials, all services by name, lists, and a cloud's own API as a requests.Session.

with connect("oaktree.example.org:8443", credentials=[Token("cloud-one", token)]) as oaktree:
    for server in oaktree.everywhere.servers():
        ...
    for answer in oaktree.compute.ListServers(ListServersRequest()):
        ...
"""

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote

import grpc

from oaktree.address import check_owner, default_address
from oaktree.everywhere import Everywhere
from oaktree.metadata import WithMetadata
from oaktree.rest import rest_session
from oaktree.v1 import (
    block_storage_pb2_grpc,
    cloud_pb2_grpc,
    compute_pb2_grpc,
    dns_pb2_grpc,
    group_pb2_grpc,
    identity_pb2_grpc,
    image_pb2_grpc,
    load_balancer_pb2_grpc,
    network_pb2_grpc,
    operation_pb2_grpc,
    orchestration_pb2_grpc,
    resource_pb2_grpc,
)
from oaktree.watching import watch

__all__ = ["ApplicationCredential", "Certificate", "Credential", "Oaktree", "Token", "connect", "rest_session", "watch"]


class Credential(Protocol):
    """A credential of the caller for one cloud."""

    def metadata(self) -> tuple[str, str]:
        """The metadata of calls that holds it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A Keystone token.

    Attributes:
        cloud: the cloud that issued it, by its name in the server.
        token: the token.
    """

    cloud: str
    token: str = field(repr=False)

    def metadata(self) -> tuple[str, str]:
        """The metadata of calls that holds it."""
        return "x-oaktree-token", _words(self.cloud, self.token)


@dataclass(frozen=True, slots=True)
class ApplicationCredential:
    """An application credential.

    Attributes:
        cloud: the cloud that issued it, by its name in the server.
        id: its id.
        secret: its secret.
    """

    cloud: str
    id: str
    secret: str = field(repr=False)

    def metadata(self) -> tuple[str, str]:
        """The metadata of calls that holds it."""
        return "x-oaktree-application-credential", _words(self.cloud, self.id, self.secret)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The caller's own certificate.

    Attributes:
        chain: a file of PEM, the caller's certificate first.
        key: a file of PEM, its key.
    """

    chain: Path
    key: Path


def connect(
    target: str | None = None,
    *,
    credentials: Iterable[Credential] = (),
    certificate: Certificate | None = None,
    authority: Path | None = None,
    plain: bool = False,
    options: Sequence[tuple[str, Any]] = (),
) -> "Oaktree":
    """Make a client, with TLS except for Unix sockets. The first call opens the connection.

    Args:
        target: "host:port", or "unix:/path". If not given: $OAKTREE_TARGET, with $OAKTREE_CA, $OAKTREE_CERT and $OAKTREE_KEY for TLS, or the
            socket where `openstackoid oaktree serve` listens for its user.
        credentials: sent with every call; one per cloud.
        certificate: the caller's own, for mutual TLS.
        authority: a PEM file with the authorities of the server's certificate; gRPC's own list by default.
        plain: no TLS. Credentials are then sent in plain text, so it is allowed only to this machine.
        options: gRPC channel options.

    Raises:
        ValueError: credentials would be sent in plain text over a network, or the socket at the default address belongs to another user.
    """
    if target is None:
        target = os.environ.get("OAKTREE_TARGET") or default_address()
        authority = authority or _file("OAKTREE_CA")
        chain_file, key_file = _file("OAKTREE_CERT"), _file("OAKTREE_KEY")
        if certificate is None and chain_file and key_file:
            certificate = Certificate(chain_file, key_file)
        if target == default_address():
            check_owner(target)
    metadata = [credential.metadata() for credential in credentials]
    if plain or target.startswith("unix:"):
        if metadata and not _is_local(target):
            raise ValueError(f"credentials do not go to {target} without TLS")
        channel = grpc.insecure_channel(target, options=options)
    else:
        chain, key = (certificate.chain.read_bytes(), certificate.key.read_bytes()) if certificate else (None, None)
        secured = grpc.ssl_channel_credentials(authority.read_bytes() if authority else None, key, chain)
        channel = grpc.secure_channel(target, secured, options=options)
    return Oaktree(grpc.intercept_channel(channel, WithMetadata(metadata)) if metadata else channel, opened=channel)


class Oaktree:
    """The clients of all services on one channel. Closed at the end of `with`."""

    def __init__(self, channel: grpc.Channel, *, opened: grpc.Channel | None = None) -> None:
        """Use a channel.

        Args:
            channel: the channel for calls.
            opened: the channel that `close` closes, if it is another one.
        """
        self.channel = channel
        self._opened = opened or channel

    @cached_property
    def everywhere(self) -> Everywhere:
        """Lists as iterators of items: `everywhere.servers()`. They raise if a cloud did not answer."""
        return Everywhere(self.channel)

    @cached_property
    def compute(self) -> "compute_pb2_grpc.ComputeServiceStub":
        """Servers, and related resources such as flavors and key pairs."""
        return compute_pb2_grpc.ComputeServiceStub(self.channel)

    @cached_property
    def image(self) -> "image_pb2_grpc.ImageServiceStub":
        """Images of disks."""
        return image_pb2_grpc.ImageServiceStub(self.channel)

    @cached_property
    def network(self) -> "network_pb2_grpc.NetworkServiceStub":
        """Networks, addresses, and security groups."""
        return network_pb2_grpc.NetworkServiceStub(self.channel)

    @cached_property
    def block_storage(self) -> "block_storage_pb2_grpc.BlockStorageServiceStub":
        """Volumes."""
        return block_storage_pb2_grpc.BlockStorageServiceStub(self.channel)

    @cached_property
    def identity(self) -> "identity_pb2_grpc.IdentityServiceStub":
        """Users, projects and roles."""
        return identity_pb2_grpc.IdentityServiceStub(self.channel)

    @cached_property
    def orchestration(self) -> "orchestration_pb2_grpc.OrchestrationServiceStub":
        """Stacks."""
        return orchestration_pb2_grpc.OrchestrationServiceStub(self.channel)

    @cached_property
    def dns(self) -> "dns_pb2_grpc.DnsServiceStub":
        """DNS zones and records."""
        return dns_pb2_grpc.DnsServiceStub(self.channel)

    @cached_property
    def load_balancer(self) -> "load_balancer_pb2_grpc.LoadBalancerServiceStub":
        """Load balancers."""
        return load_balancer_pb2_grpc.LoadBalancerServiceStub(self.channel)

    @cached_property
    def resources(self) -> "resource_pb2_grpc.ResourceServiceStub":
        """Every kind of resource."""
        return resource_pb2_grpc.ResourceServiceStub(self.channel)

    @cached_property
    def operations(self) -> "operation_pb2_grpc.OperationServiceStub":
        """The recorded operations of creates."""
        return operation_pb2_grpc.OperationServiceStub(self.channel)

    @cached_property
    def groups(self) -> "group_pb2_grpc.GroupServiceStub":
        """Resources of several kinds that refer to each other."""
        return group_pb2_grpc.GroupServiceStub(self.channel)

    @cached_property
    def clouds(self) -> "cloud_pb2_grpc.CloudServiceStub":
        """The clouds themselves."""
        return cloud_pb2_grpc.CloudServiceStub(self.channel)

    def close(self) -> None:
        """End all calls."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _file(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def _words(*words: str) -> str:
    return " ".join(quote(word, safe="/=+:@") for word in words)


def _is_local(target: str) -> bool:
    host = target.rpartition(":")[0].strip("[]")
    if target.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
