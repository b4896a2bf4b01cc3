"""Other clouds' control planes: who they are, their keys, questions to them. What they answer is hostile until it is checked.

A peer is one of the agreements that operators made (`openstackoid peer add`): its URL, and the fingerprint of a key of it.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from openstackoid.core.errors import (
    AgreementError,
    OpenStackoidError,
    PeerAnswerError,
    PeerTimeoutError,
    PeerUnreachableError,
)
from openstackoid.core.protocol import (
    ASSERTION,
    MESSAGES_PATH,
    OFFERS_PATH,
    PROJECTS_PATH,
    RESOURCES_PATH,
    USAGE_PATH,
    WELL_KNOWN_PATH,
)
from openstackoid.regions.schemas import message, offer, project_states, resource, usage
from openstackoid.regions.schemas.common import Schema, check
from openstackoid.trust import tokens
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.keys import Keys
from openstackoid.trust.rings import Ring
from openstackoid.trust.signatures import SignatureError, read_object
from openstackoid.trust.store import Store

_LARGEST: Final = 8 << 20  # bytes of an answer
_LIFE: Final = 60  # seconds of an assertion
_FRESH: Final = 60.0  # seconds for which a peer's keys are not asked for again
_AGAIN: Final = 5.0  # the same, when one is missing


class Peers:
    """The clouds that this one has agreements with.

    Args:
        cloud: this cloud's name.
        store: agreements.
        keys: this cloud's.
        session: for requests.
        skew: seconds by which clocks may differ.
    """

    def __init__(self, cloud: str, store: Store, keys: Keys, session: aiohttp.ClientSession, skew: int) -> None:
        self._cloud = cloud
        self._store = store
        self._keys = keys
        self._session = session
        self._skew = skew
        self._alive: dict[str, tuple[float, tuple[int, str]]] = {}
        self._rings: dict[tuple[str, str], tuple[float, Ring]] = {}

    async def agreement(self, peer: str) -> Agreement:
        """The agreement with a peer, to which our operators said yes.

        Raises:
            AgreementError: there is none.
        """
        for agreements in await asyncio.to_thread(self._store.agreements):
            if agreements.peer == peer and agreements.active:
                return agreements
        raise AgreementError(
            f"{self._cloud} has no agreement with {peer[:64]} that is active. Its operators can: openstackoid peer add, allow."
        )

    def agreements(self) -> list[Agreement]:
        """All agreements to which our operators said yes. Blocks."""
        return [agreement for agreement in self._store.agreements() if agreement.active]

    async def keys(self, peer: str, kid: str = "") -> Mapping[str, Any]:
        """A peer's public keys by kid, asked for again each minute: one that was stolen is not published any more.

        Args:
            peer: its name.
            kid: a key that should be among them: if it is not, the peer may have a new one.

        Raises:
            AgreementError: no peer.
            PeerError: it was never seen and cannot be asked, or its keys do not descend from the agreed one.
        """
        agreement = await self.agreement(peer)
        key = (peer, agreement.fingerprint)
        seen, ring = self._rings.get(key, (0.0, None))
        fresh = _FRESH if ring is not None and (not kid or kid in ring.keys) else _AGAIN
        if ring is not None and time.monotonic() - seen < fresh:
            return ring.keys
        try:
            document = await self._json("GET", agreement.url + WELL_KNOWN_PATH, {}, None)
        except (PeerUnreachableError, PeerTimeoutError):
            if ring is not None:
                return ring.keys
            remembered = await asyncio.to_thread(self._store.known_keys, peer)
            if remembered is None:
                raise
            document = remembered
        try:
            ring = Ring({name: document.get(name) for name in ("keys", "endorsements")}, agreement.fingerprint)
        except ValueError as error:
            self._rings.pop(key, None)
            raise PeerAnswerError(f"{peer}'s keys are not those of the agreement: {error}") from None
        self._rings[key] = (time.monotonic(), ring)
        return ring.keys

    async def offers(self, peer: str) -> dict[str, Any]:
        """What a peer offers to this cloud, as `schemas.offer.OFFERS` has it.

        Raises:
            AgreementError, PeerError, DocumentError: no peer, no answer, or a wrong one.
        """
        agreement = await self.agreement(peer)
        assertion = tokens.assertion(self._cloud, peer, self._keys, int(time.time()), _LIFE)
        return await self._checked("GET", f"{agreement.url}{OFFERS_PATH}", {ASSERTION: assertion}, None, offer.OFFERS)

    async def usage(self, peer: str, asked: Mapping[str, str]) -> list[dict[str, str]]:
        """What our projects have used at a peer, as `schemas.usage.LINES` has it.

        Args:
            peer: the provider.
            asked: contract, first day, and the day after the last one, as `schemas.usage.ASK` has them.

        Raises:
            AgreementError, PeerError, DocumentError: no peer, no answer, or a wrong one.
        """
        agreement = await self.agreement(peer)
        assertion = tokens.assertion(self._cloud, peer, self._keys, int(time.time()), _LIFE)
        url, sent = f"{agreement.url}{USAGE_PATH}", {ASSERTION: assertion}
        return list((await self._checked("POST", url, sent, dict(asked), usage.LINES))["lines"])

    async def alive(self, peer: str) -> tuple[int, str]:
        """Whether a peer's door answers now: milliseconds until it did, and the code of why it did not; asked every few seconds at most."""
        now = time.monotonic()
        at, found = self._alive.get(peer, (0.0, (0, "")))
        if at and now - at < _AGAIN:
            return found
        error = ""
        try:
            agreement = await self.agreement(peer)
            async with asyncio.timeout(_AGAIN):
                await self._json("GET", agreement.url + WELL_KNOWN_PATH, {}, None)
        except OpenStackoidError as failure:
            error = failure.code
        except TimeoutError:
            error = PeerTimeoutError.code
        found = round((time.monotonic() - now) * 1000), error
        self._alive[peer] = (now, found)
        return found

    async def send(self, peer: str, signed: str) -> int:
        """Send a message; returns up to which number the peer has our messages of its contract.

        Raises:
            AgreementError, PeerError, DocumentError: no peer, no answer, or a refusal.
        """
        agreement = await self.agreement(peer)
        url, body = f"{agreement.url}{MESSAGES_PATH}", {"message": signed}
        return int((await self._checked("POST", url, {}, body, message.ANSWER))["acknowledged"])

    async def say(self, peer: str, signed: str) -> list[str]:
        """Send a statement about projects; returns those for which the peer has sub-projects.

        Raises:
            AgreementError, PeerError, DocumentError: no peer, no answer, or a refusal.
        """
        agreement = await self.agreement(peer)
        url, body = f"{agreement.url}{PROJECTS_PATH}", {"statement": signed}
        answer = await self._checked("POST", url, {}, body, project_states.ANSWER)
        return list(answer["projects"])

    async def resources(self, peer: str, contract: str) -> list[dict[str, str]]:
        """What the projects of a contract have at their provider.

        Raises:
            AgreementError, PeerError, DocumentError: no peer, no answer, or a refusal.
        """
        agreement = await self.agreement(peer)
        headers = {ASSERTION: tokens.assertion(self._cloud, peer, self._keys, int(time.time()), _LIFE)}
        url, body = f"{agreement.url}{RESOURCES_PATH}", {"contract": contract}
        return list((await self._checked("POST", url, headers, body, resource.LIST))["resources"])

    async def caller(self, assertion: str | None) -> str:
        """The peer whose control plane asks.

        Raises:
            TokenError, AgreementError, PeerError: nobody shows that it is a peer.
        """
        if not assertion:
            raise SignatureError(f"Expected the assertion of a peer's control plane at {ASSERTION}.")
        peer, _ = tokens.issuer(assertion)
        ring = await self.keys(peer, tokens.key_id(assertion))
        return tokens.asserted(assertion, lambda _: ring, self._cloud, time.time(), self._skew)

    async def _checked(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, schema: Schema
    ) -> dict[str, Any]:
        document = await self._json(method, url, headers, body)
        check(document, schema)
        return document

    async def _json(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        sent = {**headers, "Accept": "application/json", **({"Content-Type": "application/json"} if data else {})}
        try:
            async with self._session.request(method, url, headers=sent, data=data, allow_redirects=False) as response:
                status = response.status
                text = bytearray()
                async for chunk in response.content.iter_chunked(1 << 16):
                    text += chunk
                    if len(text) > _LARGEST:
                        raise PeerAnswerError(f"{url}: expected {_LARGEST >> 20} MiB at most")
        except TimeoutError:
            raise PeerTimeoutError(f"{url}: no answer in time") from None
        except aiohttp.ClientError as error:
            raise PeerUnreachableError(f"{url}: {type(error).__name__}") from None
        try:
            document = read_object(bytes(text))
        except ValueError:
            document = {}
        if status != HTTPStatus.OK or not document:
            refusal = document.get("error")
            reason = str(refusal.get("message", ""))[:200] if isinstance(refusal, dict) else ""
            raise PeerAnswerError(f"{url}: expected 200 and a JSON object, got {status} {reason!r}")
        return document
