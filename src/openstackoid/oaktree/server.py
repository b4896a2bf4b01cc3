"""The server: its worker processes, and the lifecycle of each."""

import asyncio
import functools
import gc
import logging
import signal
from collections.abc import Callable
from typing import Any, Final

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from oaktree.v1 import cloud_pb2, cloud_pb2_grpc, group_pb2, group_pb2_grpc, operation_pb2, operation_pb2_grpc
from openstackoid import notify, workers
from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.access import addresses, listeners
from openstackoid.oaktree.config import Config
from openstackoid.oaktree.rpcs import kind_service
from openstackoid.oaktree.rpcs.cloud_service import CloudService
from openstackoid.oaktree.rpcs.group_service import GroupService
from openstackoid.oaktree.rpcs.operation_service import OperationService
from openstackoid.oaktree.rpcs.reading import Reading
from openstackoid.oaktree.rpcs.services import Services
from openstackoid.oaktree.rpcs.verbs import Engine
from openstackoid.oaktree.wiring import Parts

# gRPC refuses larger requests; images are sent in pieces.
_LOG: Final = logging.getLogger(__name__)
_LARGEST: Final = 4 * 1024 * 1024
_GRACE: Final = 10.0  # seconds for calls in progress at the stop
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _LARGEST),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


def run(config: Config) -> int:
    """Serve until a stop signal. Returns the exit code.

    Raises:
        ConfigError: the configuration cannot be served.
    """
    # Certificates are reloaded when they change, and all other settings need a restart: a reload signal is ignored.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if config.workers > 1:
        if any(address.path or not address.port for address in addresses.check(config)):
            raise ConfigError(
                "workers: several of them can share TCP addresses alone, with a port: no Unix socket, no port 0"
            )
        with addresses.reserved(config) as reserved:
            return workers.run(functools.partial(_work, config), config.workers, reserved)
    uvloop.run(serve(config))
    return 0


def _work(config: Config) -> None:
    uvloop.run(serve(config, workers.tell))


async def serve(config: Config, tell: Callable[[str], None] = notify.tell) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: the configuration.
        tell: gets the notifications of the server's state (`notify`).

    Raises:
        ConfigError: the configuration cannot be served.
    """
    listening = listeners.Listeners(config)
    parts = Parts.of(config)
    await parts.creates.start()
    parts.deliveries.start()
    server, names = made(parts, config)
    healthy = health.aio.HealthServicer()  # type: ignore[attr-defined]  # it exists in every supported Python
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    opened = listening.open(server)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    await server.start()
    # Imported objects are permanent: garbage collections that traverse them would block all calls for a sixth of a second.
    gc.collect()
    gc.freeze()
    for name in ("", *names):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    wrong = (f"clouds.yaml: {name}: {flaw}" for name, flaw in sorted(parts.clouds.flaws.items()))
    for line in (f"oaktree listens at {' '.join(opened)}", *listening.notes(), *wrong):
        _LOG.info(line)
    tell(notify.READY)
    await stop.wait()
    tell(notify.STOPPING)
    await healthy.enter_graceful_shutdown()
    parts.deadlines.stop()
    await server.stop(_GRACE)
    await parts.close(_GRACE)
    listening.close()


def made(parts: Parts, config: Config) -> tuple[grpc.aio.Server, list[str]]:
    """Make a server with all services that does not listen yet. Returns it and the names of the services."""
    # Workers share a port; with a single process, another program on the port is an error.
    sharing = ("grpc.so_reuseport", int(config.workers > 1))
    server = grpc.aio.server(options=(*_OPTIONS, sharing), interceptors=(Reading(),))
    engine = Engine(
        kinds=parts.kinds,
        threads=parts.threads,
        authenticate=parts.authenticate,
        timeout=config.timeout,
        watches=parts.watches,
        creates=parts.creates,
        uploads=parts.uploads,
        oaktrees=parts.oaktrees,
        cache=parts.cache,
        repeats=parts.repeats,
        deadlines=parts.deadlines,
    )

    def state(cloud: str, region: str) -> Any:
        return parts.gates.gate(cloud, region).breaker.state()

    operation_pb2_grpc.add_OperationServiceServicer_to_server(
        OperationService(parts.creates.dependencies, parts.kinds, parts.authenticate, parts.oaktrees, parts.deadlines),
        server,
    )
    cloud_pb2_grpc.add_CloudServiceServicer_to_server(
        CloudService(parts.authenticate, state, parts.threads, parts.oaktrees, timeout=config.timeout), server
    )
    group_pb2_grpc.add_GroupServiceServicer_to_server(GroupService(engine), server)
    kind_service.register(server, parts.kinds, parts.authenticate)
    names = [
        *Services(engine).register(server),
        *(
            service.full_name
            for file in (operation_pb2, cloud_pb2, group_pb2)
            for service in file.DESCRIPTOR.services_by_name.values()
        ),
    ]
    return server, names
