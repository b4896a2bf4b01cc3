"""Connections to upstreams, and the addresses of these."""

from dataclasses import dataclass
from typing import Final

import aiohttp

from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.settings.certificates import authorities
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.telemetry import traces
from openstackoid.gateway.upstream.connecting import Connector
from openstackoid.gateway.upstream.failures import FailureLog
from openstackoid.gateway.upstream.reads import Bounds, Reads
from openstackoid.gateway.upstream.rewriting import Rewriting

_BUFFER: Final = 1 << 18  # bytes of a body that are read ahead
_LONGEST: Final = 1 << 16  # bytes of a status line, and of a header
_NO_AUTO: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, slots=True)
class Upstream:
    """The destination of a request, and the errors to raise when it cannot be reached.

    Attributes:
        name: of the cloud or service, for messages.
        base: base URL.
        unreachable, timeout: errors of `core.errors`.
        far: whether the upstream is another cloud's gateway.
    """

    name: str
    base: str
    unreachable: type[OpenStackoidError]
    timeout: type[OpenStackoidError]
    far: bool = False


class Pool:
    """Connections to upstreams: shared ones, and single ones for streamed bodies; the processes that rewrite documents; the log of failures."""

    def __init__(self, config: Config) -> None:
        trusted = authorities(config.ca)
        # Services close idle connections after 5 s (Apache) or 10 s (cheroot): close them before that.
        shared = Connector(limit=0, keepalive_timeout=4, ssl=trusted)
        # Other gateways keep connections longer, and a new connection over a WAN costs three round trips with TLS.
        far = Connector(limit=0, keepalive_timeout=60, ssl=trusted)
        single = aiohttp.TCPConnector(limit=0, force_close=True, ssl=trusted)
        self.rewriting = Rewriting()
        self.failures = FailureLog()
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=config.timeouts.connect, sock_read=config.timeouts.idle
        )
        bounds = Bounds(timeout, _BUFFER, _LONGEST)
        traced = traces.sent()  # by the session
        self._reads = {} if traced else {False: Reads(shared, bounds), True: Reads(far, bounds)}
        self.shared, self.peers, self.single = (
            aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                auto_decompress=False,
                skip_auto_headers=_NO_AUTO,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=_BUFFER,
                max_line_size=_LONGEST,
                max_field_size=_LONGEST,
                trace_configs=traced,
            )
            for connector in (shared, far, single)
        )

    def reads(self, upstream: Upstream) -> Reads | None:
        """What sends an upstream requests without a body; None if a client session has to, which traces them."""
        return self._reads.get(upstream.far)

    async def close(self) -> None:
        """Close every connection."""
        await self.rewriting.close()
        await self.shared.close()
        await self.peers.close()
        await self.single.close()
