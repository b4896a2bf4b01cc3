"""Connections to upstreams, and the addresses of these."""

from dataclasses import dataclass
from typing import Final

import aiohttp

from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.settings.certificates import authorities
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.telemetry import traces
from openstackoid.gateway.upstream.failures import FailureLog
from openstackoid.gateway.upstream.rewriting import Rewriting

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
        shared = aiohttp.TCPConnector(limit=0, keepalive_timeout=4, ssl=trusted)
        # Other gateways keep connections longer, and a new connection over a WAN costs three round trips with TLS.
        far = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=trusted)
        single = aiohttp.TCPConnector(limit=0, force_close=True, ssl=trusted)
        self.rewriting = Rewriting()
        self.failures = FailureLog()
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=config.timeouts.connect, sock_read=config.timeouts.idle
        )
        self.shared, self.peers, self.single = (
            aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                auto_decompress=False,
                skip_auto_headers=_NO_AUTO,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=1 << 18,
                max_line_size=1 << 16,
                max_field_size=1 << 16,
                trace_configs=traces.sent(),
            )
            for connector in (shared, far, single)
        )

    async def close(self) -> None:
        """Close every connection."""
        await self.rewriting.close()
        await self.shared.close()
        await self.peers.close()
        await self.single.close()
