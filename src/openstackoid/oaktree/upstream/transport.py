"""The HTTP transport of openstacksdk: every request has a deadline, cancellation, a rate limit, and a breaker.

Only extension points are used: `requests.Session.mount` for `Adapter`, and urllib3's `PoolManager.pool_classes_by_scheme` with
`HTTPConnectionPool.ConnectionCls` (its documentation, "Customizing Pool Behavior"). The connection class is the one place that knows which
socket a request uses; cancelling shuts that socket down, so that the cloud sees the end and the thread wakes. A connection that is just
being made cannot be shut down: it ends after `connect_timeout`, and the caller does not wait for it.

Our errors are no subclasses of requests' exceptions: keystoneauth would take those for network failures and retry.
"""

import os
import socket
from typing import Any, Final

import requests
import requests.utils
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.util.retry import Retry

from openstackoid.oaktree import errors
from openstackoid.oaktree.masking import clean
from openstackoid.oaktree.plain import plain
from openstackoid.oaktree.upstream.breaker import Failure, Permit
from openstackoid.oaktree.upstream.calls import CALL, Call, in_thread, run
from openstackoid.oaktree.upstream.connections import ATTEMPT, Body, Pool, TlsPool
from openstackoid.oaktree.upstream.gate import REQUEST_IDS, Gate, address, stay

__all__ = ["CALL", "Adapter", "Call", "Gate", "in_thread", "run", "session"]

# Methods that may be sent again even though the first request may have arrived.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Adapter(requests.adapters.HTTPAdapter):
    """Sends the requests of all sessions of one cloud-region, which share its connections."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Final = gate
        self._proxies: Final[dict[str, dict[str, str]]] = {}
        self._ca: Final = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        # urllib3's own retries would bypass the gate.
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
        self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """As requests calls it."""
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}
        return manager

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """As requests calls it."""
        attempt = ATTEMPT.get()
        if attempt is None:
            return super().build_response(req, resp)
        attempt.raw = resp
        return super().build_response(req, Body(resp, attempt))

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request as soon as the gate admits it, and read the response.

        Raises:
            errors.OaktreeError: the request may not be sent, or the response may not be passed on.
            requests.RequestException: as requests does.
        """
        call = CALL.get() or Call()
        at = address(request.url or "")
        options = {
            "stream": stream,
            "verify": self._ca if verify is True and self._ca else verify,
            "cert": cert,
            "proxies": proxies or self._proxies_for(at),
        }
        if call.ahead is not None and (answer := call.ahead(self, request, timeout, options)) is not None:
            return answer
        call.check()
        try:
            self._gate.breaker.check(at)
            self._gate.wait(call)
            permit = self._gate.breaker.enter(at)
        except errors.LeftAloneError:
            if (before := call.failed.get(at)) is None:
                raise
            raise before.with_traceback(None) from before.__cause__  # keystoneauth retries in another way
        with permit:
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
        limits = self._gate.timeouts(call, timeout, uploading=uploading)
        attempt = call.begin(None if options["stream"] else self._gate.largest_answer)
        token = ATTEMPT.set(attempt)
        response = None
        try:
            response = super().send(request, timeout=(limits.connect, limits.read), **options)
            permit.answered(response.status_code)
            call.request_ids.extend(
                clean(response.headers[name], 64) for name in REQUEST_IDS if name in response.headers
            )
            stay(request.url or "", response.status_code, response.headers.get("location"))
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
                cause = call.failed[permit.address] = plain(error, permit.address)
                permit.failed(Failure.SILENT if hurried else failure, cause)
            call.check()
            if hurried:
                raise call.late() from error
            raise plain(error, permit.address) from error
        except BaseException:
            if response is not None:
                response.close()
            raise
        else:
            return response
        finally:
            ATTEMPT.reset(token)
            if response is None or not options["stream"]:
                call.end(attempt)

    def _proxies_for(self, address: str) -> dict[str, str]:
        # Proxies from the environment: requests would read them again, and ~/.netrc, for every request.
        if address not in self._proxies:
            if len(self._proxies) > self._gate.connections:
                self._proxies.clear()
            self._proxies[address] = requests.utils.get_environ_proxies(address, no_proxy=None)
        return self._proxies[address]


class _StaleError(Exception):
    """The cloud closed an idle keep-alive connection, as it may at any time; it has not seen the request."""


def _failure(error: requests.RequestException) -> Failure | None:
    """The kind of a cloud's failure; None if the error is none."""
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


def session(gate: Gate, adapter: Adapter | None = None) -> requests.Session:
    """A requests session whose requests pass a gate. Uses only proxies and authorities from the environment: no `~/.netrc`."""
    made = requests.Session()
    made.trust_env = False
    through = adapter or Adapter(gate)
    for scheme in ("http://", "https://"):
        made.mount(scheme, through)
    return made
