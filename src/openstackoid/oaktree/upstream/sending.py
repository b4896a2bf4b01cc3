"""Sends a recorded request of openstacksdk on the event loop, through the same gate as all requests: a seventh of the computing, and no thread."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import certifi
import requests
from cachetools import LRUCache
from urllib3 import HTTPHeaderDict
from yarl import URL

from openstackoid.oaktree.masking import clean
from openstackoid.oaktree.plain import plain
from openstackoid.oaktree.upstream.ahead import Answer, Question
from openstackoid.oaktree.upstream.breaker import Failure, Permit
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.gate import REQUEST_IDS, Gate, Timeouts, address, stay, within

# aiohttp's default headers are not sent: the question has the headers that openstacksdk sends.
_OWN: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_PACKED: Final = "gzip, deflate"
_LONGEST_LINE: Final = 65_536  # the limit of http.client
_KEPT: Final = 64  # TLS contexts


class Sender:
    """The connections to all clouds, on one event loop. Call `close` at the end."""

    def __init__(self) -> None:
        """Create it without connections, in the event loop that will use it."""
        self._http: Final = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_OWN,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        self._contexts: Final[LRUCache[Any, ssl.SSLContext]] = LRUCache(_KEPT)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def get(self, question: Question, gate: Gate, call: Call) -> Answer:
        """Send a question. Returns the response, whatever its status.

        Raises:
            errors.OaktreeError: the request may not be sent, or the response may not be passed on.
            requests.RequestException: the request failed; the class is the one that requests raises.
        """
        at = address(question.url)
        call.check()
        gate.breaker.check(at)
        if seconds := gate.slot(call):
            await asyncio.sleep(seconds)
        limits = gate.timeouts(call, question.timeout)
        attempt = call.begin()
        try:
            with gate.breaker.enter(at) as permit:
                try:
                    async with asyncio.timeout(call.left()):
                        return await self._get(question, gate, call, permit, limits)
                except TimeoutError as error:  # the call's; those of connections became requests' exceptions
                    permit.failed(Failure.SILENT, requests.ReadTimeout("no answer before the caller's deadline"))
                    raise call.late() from error
                except requests.Timeout as error:
                    if limits.hurried:
                        raise call.late() from error
                    raise
        finally:
            call.end(attempt)

    async def _get(self, question: Question, gate: Gate, call: Call, permit: Permit, limits: Timeouts) -> Answer:
        headers = {**question.headers, "Accept-Encoding": _PACKED}
        times = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect, sock_read=limits.read)
        began = False
        try:
            options: dict[str, Any] = {"ssl": self._tls(question)} if question.url.startswith("https:") else {}
            async with self._http.get(
                URL(question.url, encoded=True), headers=headers, timeout=times, allow_redirects=False, **options
            ) as response:
                began = True
                permit.answered(response.status)
                got = response.headers
                call.request_ids.extend(clean(got[name], 64) for name in REQUEST_IDS if name in got)
                stay(question.url, response.status, got.get("Location"))
                body = await _body(response, gate.largest_answer)
                return Answer(response.status, response.reason or "", _plain(got), body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure, cause = _classified(error)
            cause = plain(cause, permit.address)
            if failure is not None and not began:
                call.failed[permit.address] = cause
                hurried = limits.hurried and isinstance(cause, requests.Timeout)
                permit.failed(Failure.SILENT if hurried else failure, cause)
            raise cause from error

    def _tls(self, question: Question) -> ssl.SSLContext:
        """The TLS context that requests would use; read again when its files have changed."""
        verify, cert = question.verify, question.cert
        authorities = certifi.where() if verify is True else verify
        files = [
            authority for authority in (authorities, *((cert,) if isinstance(cert, str) else cert or ())) if authority
        ]
        key = (verify, *((file, Path(file).stat().st_mtime_ns) for file in files))
        if (context := self._contexts.get(key)) is None:
            context = self._contexts[key] = _context(authorities, cert)
        return context


def _context(authorities: str | bool, cert: Any) -> ssl.SSLContext:
    path = str(authorities) if authorities else None
    folder = path is not None and Path(path).is_dir()
    # If these are given, no other authority is trusted.
    context = ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
    if not authorities:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert:
        context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    return context


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    pieces: list[bytes] = []
    seen = 0
    async for piece in response.content.iter_any():
        seen += len(piece)
        within(seen, most)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _plain(headers: Mapping[str, str]) -> HTTPHeaderDict:
    """The headers without those that no longer apply to the decompressed, complete body."""
    found = HTTPHeaderDict()
    for name, value in headers.items():
        if name.lower() not in ("content-encoding", "content-length", "transfer-encoding"):
            found.add(name, value)
    return found


def _classified(error: Exception) -> tuple[Failure | None, requests.RequestException]:
    """The kind of the cloud's failure, if it is one, and the equivalent exception of requests."""
    if isinstance(error, aiohttp.ClientSSLError):
        return None, requests.exceptions.SSLError(error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Failure.UNREACHABLE, requests.ConnectTimeout(error)
    if isinstance(error, aiohttp.ServerTimeoutError):
        return Failure.SILENT, requests.ReadTimeout(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure.UNREACHABLE, requests.ConnectionError(error)
    if isinstance(error, aiohttp.ClientError):
        return Failure.BROKEN, requests.ConnectionError(error)
    if isinstance(error, OSError):  # a certificate file that does not exist, or is invalid
        return None, requests.exceptions.SSLError(error)
    return None, requests.exceptions.InvalidURL(error)
