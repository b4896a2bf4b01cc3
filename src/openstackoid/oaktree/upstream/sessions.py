"""The keystoneauth session that openstacksdk gets: through a gate, with retries that end with the call."""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import keystoneauth1.exceptions as keystone
import requests
from keystoneauth1 import discover, plugin
from keystoneauth1 import session as keystone_session
from keystoneauth1.access import AccessInfo

from openstackoid.oaktree import answers
from openstackoid.oaktree.upstream.calls import CALL, Call
from openstackoid.oaktree.upstream.endpoints import Led
from openstackoid.oaktree.upstream.transport import SAFE, Adapter, Gate, session

# Seconds before a retry if the cloud sends no Retry-After: the first, and the longest (as in keystoneauth).
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 60.0
_RETRIED: Final = (429, 503)


class Session(keystone_session.Session):
    """keystoneauth's session through a gate; its retries wait no longer than the call does, and end with it."""

    def __init__(self, through: requests.Session, **options: Any) -> None:
        """Create the session.

        Args:
            through: the requests session that `transport.session` made.
            **options: keystoneauth's options: auth, verify, cert, timeout and so on.
        """
        self._again: Final = int(options.pop("connect_retries", 0) or 0)
        self._led: Led | None = None
        super().__init__(session=through, **options)

    def access(self) -> AccessInfo | None:
        """The document of the current token; None if the credentials yield none. Authenticates if there is no token yet."""
        led = self._current(None)
        if led is not None:
            return led.access
        auth: Any = self.auth
        current: AccessInfo | None = auth.get_access(self) if hasattr(auth, "get_access") else None
        return current

    @property
    def led(self) -> Led | None:
        """The cache of the current token; None if there is no valid token. Sends no request."""
        return self._current(None)

    def get_auth_headers(self, auth: plugin.BaseAuthPlugin | None = None) -> dict[str, str] | None:
        """As keystoneauth's."""
        ask = functools.partial(super().get_auth_headers, auth)
        led = self._current(auth)
        return ask() if led is None else led.get("headers", {}, ask, bool)

    def get_project_id(self, auth: plugin.BaseAuthPlugin | None = None) -> str | None:
        """As keystoneauth's."""
        led = self._current(auth)
        return super().get_project_id(auth) if led is None else led.access.project_id

    def get_endpoint(self, auth: plugin.BaseAuthPlugin | None = None, **wanted: Any) -> str | None:
        """As keystoneauth's."""
        ask = functools.partial(super().get_endpoint, auth, **wanted)
        led = self._current(auth)
        return ask() if led is None else led.get("endpoint", wanted, ask, bool)

    def get_endpoint_data(
        self, auth: plugin.BaseAuthPlugin | None = None, **wanted: Any
    ) -> discover.EndpointData | None:
        """As keystoneauth's."""
        ask = functools.partial(super().get_endpoint_data, auth, **wanted)
        led = self._current(auth)
        # Only endpoint data from a successful discovery has a status.
        return ask() if led is None else led.get("data", wanted, ask, lambda endpoint: endpoint and endpoint.status)

    def _current(self, auth: plugin.BaseAuthPlugin | None) -> Led | None:
        """The cache of the current token; None if there is no valid token."""
        access = getattr(auth or self.auth, "auth_ref", None)
        if access is None:
            return None
        led = self._led
        if led is None or led.access is not access:
            led = self._led = Led(access)
        return led if led.current else None

    def request(self, url: str, method: str, *args: Any, **options: Any) -> requests.Response:
        """As keystoneauth's.

        After a failed connection, a request that is not safe and may have arrived is not repeated: it might take effect twice.
        """
        connecting = options.pop("connect_retries", None)
        delays = _Delays(
            connecting=self._again if connecting is None else connecting,
            refused=options.pop("status_code_retries", None) or 0,
            connecting_delay=options.pop("connect_retry_delay", None),
            refused_delay=options.pop("status_code_retry_delay", None),
            codes=options.pop("retriable_status_codes", None) or _RETRIED,
        )
        call = CALL.get() or Call()
        while True:
            try:
                response = super().request(url, method, *args, **options)
            except keystone.RetriableConnectionFailure:
                delay = delays.after_failure() if method.upper() in SAFE else None
                if delay is None or not _fits(call, delay):
                    raise
            except keystone.HttpError as error:
                after = getattr(error.response, "headers", {}).get("retry-after")
                delay = delays.after_refusal(error.http_status, after)
                if delay is None or not _fits(call, delay):
                    raise
            else:
                delay = delays.after_refusal(response.status_code, response.headers.get("retry-after"))
                if delay is None or not _fits(call, delay):
                    return response
                response.close()
            call.wait(delay)


@dataclass
class _Delays:
    """How often a request is retried, and after how many seconds."""

    connecting: int
    refused: int
    connecting_delay: float | None
    refused_delay: float | None
    codes: Any
    _tries: int = 0

    def after_failure(self) -> float | None:
        if self.connecting <= 0:
            return None
        self.connecting -= 1
        return self._next(self.connecting_delay)

    def after_refusal(self, code: int, retry_after: str | None) -> float | None:
        if self.refused <= 0 or code not in self.codes:
            return None
        self.refused -= 1
        asked = answers.parse_retry_after(retry_after)
        return self._next(self.refused_delay) if asked is None else asked

    def _next(self, fixed: float | None) -> float:
        self._tries += 1
        return fixed or min(_FIRST_DELAY * 2 ** (self._tries - 1), _LONGEST_DELAY)


def _fits(call: Call, delay: float) -> bool:
    left = call.left()
    return delay < (_LONGEST_DELAY if left is None else left) and not call.cancelled


class Gates:
    """The gate of each cloud-region, made on first use, with the connections that all its users share."""

    def __init__(self, make: Callable[[str, str], Gate]) -> None:
        """Keep the function that makes the gate of a cloud and a region."""
        self._make: Final = make
        self._lock: Final = threading.Lock()
        self._gates: Final[dict[tuple[str, str], tuple[Gate, Adapter]]] = {}

    def gate(self, cloud: str, region: str) -> Gate:
        """The gate of a cloud-region."""
        return self._get(cloud, region)[0]

    def session(self, cloud: str, region: str, **options: Any) -> Session:
        """Make a keystoneauth session for a cloud-region; options are keystoneauth's."""
        return Session(session(*self._get(cloud, region)), **options)

    def _get(self, cloud: str, region: str) -> tuple[Gate, Adapter]:
        with self._lock:
            if (cloud, region) not in self._gates:
                gate = self._make(cloud, region)
                self._gates[cloud, region] = gate, Adapter(gate)
            return self._gates[cloud, region]

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            for _, adapter in self._gates.values():
                adapter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
