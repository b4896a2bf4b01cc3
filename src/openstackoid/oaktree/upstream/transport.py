"""How every HTTP request of openstacksdk leaves: with a deadline, an end when the caller goes, a rate, and a breaker.

Only extension points are used: `requests.Session.mount` for `Adapter`, and urllib3's `PoolManager.pool_classes_by_scheme` with
`HTTPConnectionPool.ConnectionCls` (its documentation, "Customizing Pool Behavior"). The connection class is the one place that knows which
socket a request uses; cancelling shuts that socket down, so that the cloud sees the end and the thread wakes. A connection that is just
being made cannot be shut down: it ends after `connect_timeout`, and the caller does not wait for it.

Our errors are none of requests' own, which keystoneauth would take for failures of the network and try again.
"""

import os
import socket
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

import requests
import requests.utils
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.util.retry import Retry

from openstackoid.oaktree import errors
from openstackoid.oaktree.masking import clean
from openstackoid.oaktree.upstream.breaker import Breaker, Failure, Permit
from openstackoid.oaktree.upstream.calls import CALL, Attempt, Call, in_thread, run
from openstackoid.oaktree.upstream.limits import LONGEST_WAIT, Limiter, Unlimited
from openstackoid.oaktree.upstream.turns import TURNS

__all__ = ["CALL", "Adapter", "Call", "Gate", "in_thread", "run", "session"]

# What may be sent again although the first may have arrived.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# keystoneauth follows these itself, with every header (Session._REDIRECT_STATUSES).
_REDIRECTS: Final = frozenset({301, 302, 303, 305, 307, 308})
_REQUEST_IDS: Final = ("x-openstack-request-id", "x-compute-request-id")
_CHUNK: Final = 65_536

_ATTEMPT: Final[ContextVar[Attempt | None]] = ContextVar("oaktree_attempt", default=None)

if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


class _Told(_Base):
    """Tells the request that uses a connection which socket that is."""

    _new = True

    def connect(self) -> None:
        with TURNS.resting():
            super().connect()
        self._new = True
        self._tell()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._tell()
        super().request(*args, **kwargs)
        self._new = False

    def getresponse(self) -> Any:
        with TURNS.resting():
            return super().getresponse()

    def _tell(self) -> None:
        attempt = _ATTEMPT.get()
        if attempt is not None:
            attempt.hold(self.sock, reused=not self._new)


class _Connection(_Told, HTTPConnection):
    pass


class _TlsConnection(_Told, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Body:
    """An answer's body: ends with the call, and when it is too large. All else is urllib3's response."""

    def __init__(self, raw: Any, attempt: Attempt) -> None:
        self._raw = raw
        self._attempt = attempt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amount: int = _CHUNK, decode_content: bool | None = None) -> Iterator[bytes]:
        """The body, unpacked, as requests reads it."""
        call, most = self._attempt.call, self._attempt.most
        seen = 0
        try:
            size = amount if most is None else max(amount, _CHUNK)
            chunks = self._raw.stream(size, decode_content=decode_content)
            while (chunk := self._next(chunks)) is not None:
                seen += len(chunk)
                if most is not None and seen > most:
                    raise errors.AnswerTooLargeError(
                        f"the cloud's answer is larger than the {most} bytes that are read: ask for less, by filters or pages"
                    )
                yield chunk
            if call.over and not (self._raw.chunked or "content-length" in self._raw.headers):
                # Its end was the connection's, which the call may have shut down itself.
                call.check()
        finally:
            call.end(self._attempt)

    @staticmethod
    def _next(chunks: Iterator[bytes]) -> bytes | None:
        with TURNS.resting():
            return next(chunks, None)


@dataclass(frozen=True)
class Gate:
    """What every request to one cloud-region passes. Times are seconds.

    Attributes:
        cloud: its name.
        region: its region's name.
        breaker: whether it is asked at all.
        limiter: how many requests a second.
        connect_timeout: to make a connection, with TLS.
        read_timeout: without a byte from the cloud.
        longest_wait: for a slot of the limiter; a minute at most.
        largest_answer: bytes of an answer, unpacked; those that are read as a stream (images) have no limit.
        connections: kept open to each address, for as many threads.
    """

    cloud: str
    region: str
    breaker: Breaker
    limiter: Limiter = field(default_factory=Unlimited)
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    longest_wait: float = 30.0
    largest_answer: int = 64 * 1024 * 1024
    connections: int = 64

    def wait(self, call: Call) -> None:
        """Wait for a slot of the limiter.

        Raises:
            errors.RateError: there is none before the deadline, or for too long.
            errors.CallCancelledError: the caller went; the slot is lost.
        """
        left = call.left()
        longest = min(self.longest_wait, LONGEST_WAIT if left is None else left)
        seconds = self.limiter.reserve(f"{self.cloud}/{self.region}", longest)
        if seconds > longest:
            raise errors.RateError(
                f"the requests per second for {self.cloud} {self.region} are used up for {seconds:.1f} s: try again later",
                retry_after=seconds,
            )
        if seconds:
            call.wait(seconds)


@dataclass(frozen=True)
class _Timeouts:
    """Seconds, the smaller of what is configured and what the deadline leaves."""

    connect: float
    read: float
    hurried: bool  # the deadline leaves less than is configured: silence may be the caller's impatience


class Adapter(requests.adapters.HTTPAdapter):
    """Sends the requests of all sessions of one cloud-region; its connections are theirs together."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Final = gate
        self._proxies: Final[dict[str, dict[str, str]]] = {}
        self._ca: Final = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        # A retry of urllib3's own would pass the gate unseen.
        super().__init__(
            pool_connections=max(16, gate.connections), pool_maxsize=gate.connections, max_retries=Retry(0, read=False)
        )

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """As requests calls it."""
        options.setdefault(
            "socket_options",
            [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        )
        super().init_poolmanager(connections, maxsize, block, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """As requests calls it."""
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """As requests calls it."""
        attempt = _ATTEMPT.get()
        if attempt is None:
            return super().build_response(req, resp)
        attempt.raw = resp
        return super().build_response(req, _Body(resp, attempt))

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request when it may go, and read the answer.

        Raises:
            errors.OaktreeError: it may not go, or what came may not be passed on.
            requests.RequestException: as requests does.
        """
        call = CALL.get() or Call()
        address = _address(request.url or "")
        call.check()
        self._gate.breaker.check(address)
        self._gate.wait(call)
        options = {
            "stream": stream,
            "verify": self._ca if verify is True and self._ca else verify,
            "cert": cert,
            "proxies": proxies or self._proxies_for(address),
        }
        with self._gate.breaker.enter(address) as permit:
            try:
                return self._attempt(call, permit, request, timeout, options)
            except _StaleError:
                self._gate.wait(call)
            return self._attempt(call, permit, request, timeout, options, last=True)

    def _attempt(
        self,
        call: Call,
        permit: Permit,
        request: requests.PreparedRequest,
        timeout: Any,
        options: dict[str, Any],
        *,
        last: bool = False,
    ) -> requests.Response:
        uploading = request.body is not None and not isinstance(request.body, str | bytes)
        limits = self._timeouts(call, timeout, uploading)
        attempt = call.begin(None if options["stream"] else self._gate.largest_answer)
        token = _ATTEMPT.set(attempt)
        response = None
        try:
            response = super().send(request, timeout=(limits.connect, limits.read), **options)
            permit.answered(response.status_code)
            call.request_ids.extend(
                clean(response.headers[name], 64) for name in _REQUEST_IDS if name in response.headers
            )
            _stay(request, response)
            if not options["stream"]:
                response.content  # noqa: B018 - it is read here, while the call still holds the connection
        except requests.RequestException as error:
            failure = _failure(error)
            hurried = call.over or (limits.hurried and isinstance(error, requests.Timeout))
            if response is not None:
                response.close()
            elif failure is not None and not (hurried and uploading):
                stale = attempt.reused and failure is Failure.BROKEN and request.method in SAFE
                if stale and not last and not hurried:
                    raise _StaleError from error
                permit.failed(Failure.SILENT if hurried else failure, error)
            call.check()
            if hurried:
                raise errors.CallDeadlineError(
                    "the call's deadline passed before the cloud had answered: give it more time"
                ) from error
            raise
        except BaseException:
            if response is not None:
                response.close()
            raise
        else:
            return response
        finally:
            _ATTEMPT.reset(token)
            if response is None or not options["stream"]:
                call.end(attempt)

    def _timeouts(self, call: Call, asked: Any, uploading: bool) -> _Timeouts:
        call.check()
        connect, read = asked if isinstance(asked, tuple) else (asked, asked)
        connect = min(connect or self._gate.connect_timeout, self._gate.connect_timeout)
        read = min(read or self._gate.read_timeout, self._gate.read_timeout)
        if uploading:
            # urllib3 writes a body with the time for connecting; an image waits until the cloud's storage takes more.
            connect = read
        left = call.left()
        if left is None or left >= max(connect, read):
            return _Timeouts(connect, read, hurried=False)
        return _Timeouts(min(connect, max(left, 0.001)), min(read, max(left, 0.001)), hurried=True)

    def _proxies_for(self, address: str) -> dict[str, str]:
        # As the environment says: requests would read it again, and ~/.netrc with it, for every request.
        if address not in self._proxies:
            if len(self._proxies) > self._gate.connections:
                self._proxies.clear()
            self._proxies[address] = requests.utils.get_environ_proxies(address, no_proxy=None)
        return self._proxies[address]


class _StaleError(Exception):
    """The cloud closed a connection that was kept open, as it may at any time: it has not seen the request."""


def _address(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    scheme = parts.scheme.lower()
    return f"{scheme}://{(parts.hostname or '').lower()}:{port or (443 if scheme == 'https' else 80)}"


def _stay(request: requests.PreparedRequest, response: requests.Response) -> None:
    """Refuse an answer that sends us elsewhere: keystoneauth would go, with the token."""
    location = response.headers.get("location")
    if response.status_code not in _REDIRECTS or location is None:
        return
    here = _address(request.url or "")
    there = _address(urljoin(request.url or "", location))
    # The same host, from its port 80 to its port 443: what was sent in the clear may as well go on in secret.
    upgraded = here.startswith("http://") and here.endswith(":80") and there == f"https{here[4:-3]}:443"
    if here != there and not upgraded:
        raise errors.RedirectError(
            f"{here} redirects to {there}, where no token of it may go: give the cloud's final address in clouds.yaml, "
            "or have its catalog corrected"
        )


def _failure(error: requests.RequestException) -> Failure | None:
    """How a cloud failed, if it did."""
    if isinstance(error, requests.exceptions.SSLError):
        return None
    if isinstance(error, requests.ConnectTimeout):
        return Failure.UNREACHABLE
    if isinstance(error, requests.Timeout):
        return Failure.SILENT
    if not isinstance(error, requests.ConnectionError):
        return None
    cause = error.args[0] if error.args else None
    cause = getattr(cause, "reason", cause)
    if isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return Failure.UNREACHABLE
    if isinstance(cause, ReadTimeoutError):
        return Failure.SILENT
    return Failure.BROKEN if isinstance(cause, ProtocolError | OSError) else Failure.UNREACHABLE


class _Requests(requests.Session):
    """Puts together what has no body, which is most of what is sent, at a third of the cost: there is little to merge."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """As requests does."""
        plain = request.method in ("GET", "HEAD") and not (request.data or request.json or request.files)
        if not plain or request.auth or request.cookies or self.params or self.auth:
            return super().prepare_request(request)
        made = requests.PreparedRequest()
        made.prepare_method(request.method)
        made.prepare_url(request.url or "", request.params)
        made.prepare_headers({**self.headers, **request.headers})
        made.prepare_cookies(self.cookies)
        made.prepare_auth(None)  # what the URL says
        made.prepare_hooks(request.hooks)
        return made


def session(gate: Gate, adapter: Adapter | None = None) -> requests.Session:
    """A session of requests whose requests pass a gate. Takes nothing from the environment but proxies and authorities: no `~/.netrc`."""
    made = _Requests()
    made.trust_env = False
    through = adapter or Adapter(gate)
    for scheme in ("http://", "https://"):
        made.mount(scheme, through)
    return made
