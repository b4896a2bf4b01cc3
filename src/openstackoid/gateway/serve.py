"""One process that serves: listeners, signals, and a configuration that can be read again.

SIGTERM: accept no new connections, finish running requests (`timeouts.grace` seconds at most), then exit.
SIGHUP: read the configuration again; if it is wrong, standard error reports it and the old one stays. A SIGHUP that arrives before all listeners
are open is handled after that.
"""

import asyncio
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from openstackoid import notify
from openstackoid.core.errors import ConfigError, OpenStackoidError
from openstackoid.gateway.checking import checked, tls_context
from openstackoid.gateway.entry.connections import Server
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.telemetry import traces
from openstackoid.gateway.wiring import Gateway

if TYPE_CHECKING:
    from openstackoid.gateway.settings.fields import Tls


_LOG: Final = logging.getLogger(__name__)
_COLLECT_AFTER: Final = 10_000  # new objects, of those that can be in cycles
_SWITCH_INTERVAL: Final = 0.0005  # seconds


class Worker:
    """A gateway with its listeners.

    Args:
        path: the configuration file, read again on SIGHUP.
        shared: several processes listen at the same addresses.
        tell: is notified when the gateway serves (`notify`).
    """

    def __init__(self, path: Path, *, shared: bool, tell: Callable[[str], None]) -> None:
        self._path = path
        self._shared = shared
        self._tell = tell
        self._reading = asyncio.Lock()
        self._asked = False  # a reload was requested, and has not begun
        self._stopping = asyncio.Event()
        self._sites: dict[str, tuple[web.ServerRunner, web.SockSite]] = {}
        self._retired: set[asyncio.Task[None]] = set()
        self._tls: dict[str, ssl.SSLContext | None] = {}
        self._gateway: Gateway

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            ConfigError: at the start only.
        """
        async with self._reading:
            try:
                await self._begin()
            except BaseException:
                self._stopping.set()  # a reload that was requested meanwhile is void
                raise
        try:
            await self._stopping.wait()
            self._tell(notify.STOPPING)
            _LOG.info("%s: stopping", self._gateway.config.cloud)
            await asyncio.gather(*(self._unlisten(address) for address in list(self._sites)))
        finally:
            await self._gateway.close()

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._ask)
        config = checked(self._path)
        traces.start(config.cloud)
        self._gateway = await Gateway.make(config)
        try:
            await self._listen(config)
        except BaseException:
            await self._gateway.close()
            raise
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        _LOG.info("%s: serving at %s", config.cloud, ", ".join(sorted(self._sites)))
        self._tell(notify.READY)

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self._keep(self._again())

    async def _again(self) -> None:
        async with self._reading:  # held while a configuration is loaded: one after the other, the start first
            self._asked = False
            if self._stopping.is_set():
                return
            self._tell(notify.reloading())
            try:
                await self._reload()
            finally:
                if not self._stopping.is_set():
                    self._tell(notify.READY)

    async def _reload(self) -> None:
        """Read the configuration again; a wrong one changes nothing."""
        old = self._gateway
        try:
            config = checked(self._path)
            new = await Gateway.make(config, old)
            try:
                await self._listen(config)
            except ConfigError:
                await new.close()
                raise
        except (OpenStackoidError, OSError, ssl.SSLError) as error:
            _LOG.error("%s: kept the old configuration: %s", old.config.cloud, error)
            return
        self._gateway = new
        wanted = {*new.listeners, *([config.admin.listen] if config.admin else [])}
        for address in [address for address in self._sites if address not in wanted]:
            await self._unlisten(address)
        self._keep(self._retire(old, new))
        served = ", ".join(sorted(self._sites))
        _LOG.info("%s: read the configuration again; serving at %s", config.cloud, served)

    async def _retire(self, gateway: Gateway, successor: Gateway) -> None:
        # Stop the old teacher first: an entry that it taught after the new one cleared HAProxy would stay.
        await gateway.stop_teaching()
        if successor is self._gateway:  # unless it was replaced itself meanwhile
            successor.start_teaching()
        # Its running requests go on, however long they take; it gets no new requests.
        await gateway.requests.idle.wait()
        await gateway.close()

    def _keep(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def _listen(self, config: Config) -> None:
        """Open every listener of the configuration that is not open yet; all or none."""
        # Behind HAProxy: HAProxy terminates TLS.
        secure = config.haproxy is None
        wanted: dict[str, Tls | None] = {
            config.inner(service.address): config.tls if secure else None for service in config.services.values()
        }
        if config.peering:
            wanted[config.inner(config.peering.address)] = config.peering.tls if secure else None
        contexts = {address: tls_context("tls", tls) for address, tls in wanted.items()}
        begun: list[str] = []
        try:
            for address, fresh in sorted(contexts.items()):
                old, tls = self._tls.get(address), wanted[address]
                if address in self._sites and (fresh is None) is not (old is None):
                    await self._unlisten(address)
                if address not in self._sites:
                    await self._site(address, partial(self._handle, address), config, fresh)
                    begun.append(address)
                    self._tls[address] = fresh
                elif old is not None and tls is not None:
                    # Open listeners use the new certificate from the next handshake on.
                    old.load_cert_chain(tls.certificate, tls.key)
            if config.admin and config.admin.listen not in self._sites:
                await self._site(config.admin.listen, self._operators, config, None)
                begun.append(config.admin.listen)
        except ConfigError:
            for address in begun:
                await self._unlisten(address)
            raise

    async def _site(
        self,
        address: str,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        config: Config,
        tls: ssl.SSLContext | None,
    ) -> None:
        server = Server(handler, config.timeouts.idle)
        runner = web.ServerRunner(server, shutdown_timeout=config.timeouts.grace, handle_signals=False)
        await runner.setup()
        host, _, port = address.rpartition(":")
        try:
            bound = _bound(host.strip("[]"), int(port), shared=self._shared)
            site = web.SockSite(runner, bound, ssl_context=tls, backlog=1024)
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(f"{self._path}: cannot listen at {address}: {error.strerror or error}") from None
        self._sites[address] = (runner, site)

    async def _unlisten(self, address: str) -> None:
        runner, _ = self._sites.pop(address)
        await runner.cleanup()

    async def _handle(self, address: str, request: web.BaseRequest) -> web.StreamResponse:
        return await self._gateway.requests.handle(address, request)

    async def _operators(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._gateway.operators.answer(request)


def run(path: Path, *, shared: bool, tell: Callable[[str], None]) -> None:
    """Serve a configuration in this process until SIGTERM or SIGINT.

    Args:
        path: the file.
        shared: whether it is one of several processes.
        tell: is notified when the process serves.

    Raises:
        ConfigError: the configuration cannot be served.
    """
    import uvloop  # noqa: PLC0415 - checking a configuration needs no event loop

    # A collection holds up all requests, by 150 ms when a large list has made many objects. What is imported stays as long as the process does, so
    # no collection need go through it; and with Python's 700 new objects until the next one, collections follow each other during such a list.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    # A thread that merges a large list gives way to the event loop after so long, ten times as often as by default: requests wait for it again and again.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        uvloop.run(Worker(path, shared=shared, tell=tell).run())
    finally:
        traces.stop()


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
