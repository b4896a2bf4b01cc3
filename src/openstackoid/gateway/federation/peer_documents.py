"""The documents that a peer publishes: its catalog with its keys, and its statement of its side of an agreement."""

import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from openstackoid.core import limits, protocol
from openstackoid.core.catalog import Cloud
from openstackoid.core.errors import PeerAnswerError, PeerTimeoutError, PeerUnreachableError
from openstackoid.core.limits import Limit
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.gateway.upstream.failures import reason
from openstackoid.trust.agreements import Statement

UNKNOWN: Final = Statement(None, "unknown")
_OK: Final = 200
_AWAY: Final = frozenset({502, 503, 504})  # a proxy's answer, whose service is away
_TRIPS: Final = 8  # requests whose shortest time is a peer's round trip


class BadDocumentError(PeerAnswerError):
    """A peer's document about itself is unusable."""


class PeerDocuments:
    """Fetches the documents.

    Args:
        session: connections.
        timeout: seconds for one document.

    Attributes:
        trips: name of a peer -> milliseconds of the last requests, until the head of the answer; the first requests open a connection.
    """

    def __init__(self, session: aiohttp.ClientSession, timeout: float) -> None:
        self._session = session
        self._timeout = timeout
        self.trips: dict[str, deque[float]] = {}

    async def cloud(self, name: str, url: str) -> tuple[Cloud, Any]:
        """A peer's catalog, and the whole document, which holds its keys as well.

        Args:
            name: of the cloud that is expected there.
            url: base URL of its gateway.

        Raises:
            PeerError: it does not answer, or not as it should.
        """
        expected = f"Expected what {name} serves at {protocol.WELL_KNOWN_PATH}"
        status, body = await self._get(name, url, protocol.WELL_KNOWN_PATH, {}, limits.PEER)
        if status != _OK:
            raise PeerAnswerError(f"{expected}, got status {status}. Is a gateway there?")
        try:
            document = parsed(body, limits.PEER)
            cloud = Cloud.from_json(document)
        except ValueError as error:
            raise BadDocumentError(f"{expected}: {error}. Is a gateway there?") from None
        if cloud.name != name:
            raise BadDocumentError(f"{expected}, but the cloud there says that it is {cloud.name}.")
        return cloud, document

    async def statement(self, name: str, url: str, assertion: str) -> Statement:
        """A peer's statement of its side of the agreement; `UNKNOWN` if the peer does not know this cloud.

        Args:
            name: of the peer.
            url: base URL of its gateway.
            assertion: authenticates this cloud to the peer.

        Raises:
            PeerError: it does not answer, or not as it should.
        """
        headers = {protocol.ASSERTION: assertion}
        status, body = await self._get(name, url, protocol.AGREEMENT_PATH, headers, limits.STATEMENT)
        try:
            return Statement.from_json(parsed(body, limits.STATEMENT)) if status == _OK else UNKNOWN
        except ValueError as error:
            raise BadDocumentError(
                f"Expected {name}'s side of the agreement at {protocol.AGREEMENT_PATH}: {error}."
            ) from None

    async def reach(self, name: str, url: str) -> None:
        """Ask for the root of a peer's service, without a token: any answer will do.

        Args:
            name: of the peer.
            url: base URL of the service.

        Raises:
            PeerError: it does not answer, or a proxy in front of it says so.
        """
        async with self._asked(name, f"{url}/", {}) as answer:
            if answer.status in _AWAY:
                raise PeerAnswerError(f"{name} answers {answer.status}: its service is away.")

    async def _get(self, name: str, url: str, path: str, headers: Mapping[str, str], limit: Limit) -> tuple[int, bytes]:
        """Status and body of an answer; a body that is too long is cut one byte after the limit of its kind."""
        started = time.monotonic()
        async with self._asked(name, url + path, headers) as answer:
            self.trips.setdefault(name, deque(maxlen=_TRIPS)).append((time.monotonic() - started) * 1000)
            return answer.status, await whole(answer.content, limit)

    @asynccontextmanager
    async def _asked(self, name: str, url: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a GET, whose body is not read yet.

        Raises:
            PeerError: none comes.
        """
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        try:
            async with self._session.get(url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                yield answer
        except TimeoutError:
            raise PeerTimeoutError(f"{name} did not answer within {self._timeout:g} s.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise PeerUnreachableError(f"{name} cannot be reached: {reason(error)}.") from None
