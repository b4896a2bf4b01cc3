"""Queries gateways for their peers: when the first call needs them, and at intervals while there are calls.

A gateway that does not answer delays one call for a moment, and no later call: requests to the placeholder of its peers raise the error.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from openstackoid.core.protocol import PEERS_PATH
from openstackoid.oaktree import statuses
from openstackoid.oaktree.access.callers import Caller
from openstackoid.oaktree.masking import clean
from openstackoid.oaktree.upstream import peers
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.upstream.clouds import Clouds

# Seconds: the maximum wait of a call, and the interval between two queries of a gateway that did not answer.
_WAIT: Final = 5.0
_AGAIN: Final = 5.0
_LOG: Final = logging.getLogger(__name__)

Authenticate = Callable[[Any], Awaitable[Caller]]


class Gateways:
    """The gateways of all homes. For use in one event loop."""

    def __init__(
        self, clouds: Clouds, threads: ThreadPoolExecutor, *, refresh: float = 60.0, timeout: float = 30.0
    ) -> None:
        """Create it; sends no request.

        Args:
            clouds: the clouds, with the homes; the peers are stored there.
            threads: the threads for blocking requests.
            refresh: seconds after which a gateway is queried again.
            timeout: seconds for an answer.
        """
        self._clouds: Final = clouds
        self._threads: Final = threads
        self._refresh: Final = refresh
        self._timeout: Final = timeout
        self._due: Final[dict[str, float]] = {}  # time.monotonic() of the next query of each
        self._asking: Final[dict[str, asyncio.Task[None]]] = {}

    def before(self, authenticate: Authenticate) -> Authenticate:
        """Wrap the authentication of callers, so that the peers are queried after it. An unauthenticated call causes no query."""
        if not self._clouds.peers.homes:
            return authenticate

        async def authenticated(context: Any) -> Caller:
            caller = await authenticate(context)
            await self.known(context.time_remaining())
            return caller

        return authenticated

    async def known(self, left: float | None = None) -> None:
        """Refresh outdated peers. Waits for peers that are unknown, or outdated by another interval: at most half of the seconds `left`, and a fixed maximum."""
        now = time.monotonic()
        waited = {}
        for home in self._clouds.peers.homes:
            due = self._due.get(home)
            if due is not None and now < due:
                continue
            if home not in self._asking:
                self._asking[home] = asyncio.create_task(self._ask(home))
            if due is None or now >= due + self._refresh:
                waited[home] = self._asking[home]
        if waited:
            await asyncio.wait(waited.values(), timeout=_WAIT if left is None else max(0.0, min(_WAIT, left / 2)))
        for home, task in waited.items():
            if not task.done():
                self._due[home] = time.monotonic() + _AGAIN  # the query continues; no other call waits for it

    def close(self) -> None:
        """Cancel the queries in progress."""
        for task in self._asking.values():
            task.cancel()

    async def _ask(self, home: str) -> None:
        pause = min(self._refresh, _AGAIN)
        call = Call().to(home, self._clouds.peers.region(home), timeout=self._timeout)
        try:
            listed = await in_thread(call, self._threads, ask, self._clouds, home)
        except peers.PeersError as error:
            self._lost(home, error)
        except Exception as error:  # noqa: BLE001 - it affects only its own peers
            reason = statuses.status(error, cloud=home).message
            self._lost(home, peers.PeersError(f"the gateway of {home} has not told its peers: {reason}"))
        else:
            self._clouds.peers.learn(home, listed)
            pause = self._refresh
        finally:
            self._due[home] = time.monotonic() + pause
            del self._asking[home]

    def _lost(self, home: str, error: peers.PeersError) -> None:
        if self._clouds.peers.lose(home, error):
            _LOG.warning("%s", error)


def ask(clouds: Clouds, home: str) -> tuple[peers.Peer, ...]:
    """Query the gateway of a home, at the address of its `auth_url`, for its peers. Blocks.

    Raises:
        peers.NoGatewayError: the server at that address is no gateway.
        Exception: keystoneauth's error, if there is no answer.
    """
    at = clouds.keystones(home)[clouds.peers.region(home)]
    parts = urlsplit(at.url)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    response = clouds.session(at).get(
        origin + PEERS_PATH,
        headers={"Accept": "application/json"},
        authenticated=False,
        redirect=False,
        raise_exc=False,
        log=False,
    )
    document = _document(response)
    if response.status_code == HTTPStatus.OK:
        try:
            return peers.read(home, document)
        except ValueError as error:
            raise _none(home, origin, str(error)) from None
    refusal = document.get("error") if isinstance(document, dict) else None
    # Keystone answers unknown paths in the same form; our error code distinguishes them.
    ours = isinstance(refusal, dict) and "openstackoid_code" in refusal
    if ours or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        reason = refusal.get("message") if isinstance(refusal, dict) else ""
        message = f"the gateway of {home} has not told its peers: HTTP {response.status_code}: {clean(str(reason or 'nothing'))}"
        raise peers.PeersError(message)
    raise _none(home, origin, f"got HTTP {response.status_code}")


def _none(home: str, origin: str, why: str) -> peers.NoGatewayError:
    return peers.NoGatewayError(
        f"{home} has no peers, for no OpenStackoid gateway answers at {origin}: {why}. Its auth_url in clouds.yaml has to be a gateway's, or "
        f"{home} has to be left out of peers.of"
    )


def _document(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
