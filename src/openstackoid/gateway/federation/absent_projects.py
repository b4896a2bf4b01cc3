"""Projects of this cloud that stand for projects which their home has deleted: disabled, and not counted, until home knows them again.

Each gateway asks the peers, once in a while, which of the projects for which it holds one are gone. Nothing is deleted, as other people may need
what is in them: operators delete a project, and forget the mapping (`openstackoid peer forget`).

A peer is believed about its own projects alone, since only those are asked about. One that lies harms its own users, and gets at most
`trust.projects.GONE_FACTOR` times the agreed number of projects. Home's answer counts as a whole; without one, nothing changes.

Projects under contracts about virtual regions follow their home by statements of its control plane (`regions.following`).

The mark of what was disabled here is a tag of the project, written in the same request: one that operators disabled stays so, whoever is killed when.
Keystone comes first and the database second, so after a kill the next turn does both again.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import aiohttp
import orjson

from openstackoid.core import limits
from openstackoid.core.errors import (
    PeerAnswerError,
    PeerError,
    PeerTimeoutError,
    PeerUnreachableError,
)
from openstackoid.core.protocol import ASSERTION, GONE_PROJECTS_PATH
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.keystone_projects import KeystoneProjects
from openstackoid.gateway.telemetry.loops import Loop
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.gateway.upstream.failures import reason
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.projects import Mapped

_LOG: Final = logging.getLogger(__name__)
_LIMIT: Final = aiohttp.ClientTimeout(total=30)
_RETRY: Final = 60.0  # seconds after a turn in which somebody did not answer
_JSON: Final = {"Content-Type": "application/json"}


class AbsentProjects:
    """Asks the peers, and follows what they say.

    Args:
        agreements: with the peers.
        keystone: changes projects.
        session: connections to peers.
        interval: seconds between two questions.
    """

    def __init__(
        self, agreements: Agreements, keystone: KeystoneProjects, session: aiohttp.ClientSession, interval: float
    ) -> None:
        self._agreements = agreements
        self._keystone = keystone
        self._session = session
        self._interval = interval
        self._loop = Loop("projects", self._turn)

    def start(self) -> None:
        """Begin to ask."""
        self._loop.start()

    async def stop(self) -> None:
        """Stop, also in the middle of a turn."""
        await self._loop.stop()

    async def _turn(self) -> float:
        whole_turn = True
        for agreement in [known for known in self._agreements.all().values() if known.active]:
            held = await asyncio.to_thread(self._agreements.store.projects.held, agreement.peer)
            question = secrets.token_hex(16)
            for first in range(0, len(held), limits.PROJECTS_ASKED):
                try:
                    await self._follow(agreement, held[first : first + limits.PROJECTS_ASKED], question)
                except PeerError as error:
                    _LOG.debug("projects of %s: %s", agreement.peer, error)
                    whole_turn = False
        return self._interval if whole_turn else min(self._interval, _RETRY)

    async def _follow(self, agreement: Agreement, held: Sequence[Mapped], question: str) -> None:
        """Ask about some projects, a page of one question, and do what the answer means.

        Raises:
            PeerError: the peer does not say, or Keystone does not work.
        """
        gone = await self._ask(agreement, held, question)
        for mapped in held:
            if (mapped.foreign in gone) is not (mapped.gone is not None):
                await self._change(agreement, mapped, gone=mapped.foreign in gone)

    async def _ask(self, agreement: Agreement, held: Sequence[Mapped], question: str) -> frozenset[str]:
        """The projects that are gone, by the peer's word.

        Raises:
            PeerError: the peer does not answer, or not as it should, or does not know.
        """
        peer, url = agreement.peer, agreement.url + GONE_PROJECTS_PATH
        body = orjson.dumps({"projects": [mapped.foreign for mapped in held], "question": question})
        headers = {ASSERTION: self._agreements.assertions.assertion_for(peer)} | _JSON
        try:
            async with self._session.post(
                url, data=body, headers=headers, timeout=_LIMIT, allow_redirects=False
            ) as answer:
                text = await whole(answer.content, limits.PROJECTS)
                if answer.status != HTTPStatus.OK:
                    raise PeerAnswerError(f"{peer} answered {answer.status} when asked which projects are gone.")
        except TimeoutError:
            raise PeerTimeoutError(f"{peer} did not answer in time at {url}.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise PeerUnreachableError(f"{peer} cannot be reached at {url}: {reason(error)}.") from None
        try:
            document = parsed(text, limits.PROJECTS)
        except ValueError as error:
            raise PeerAnswerError(f"Expected projects that are gone from {peer}: {error}.") from None
        gone = document.get("gone") if isinstance(document, dict) else None
        if not isinstance(gone, list) or not all(isinstance(identity, str) for identity in gone):
            raise PeerAnswerError(f"Expected a list at gone from {peer}.")
        return frozenset(gone)

    async def _change(self, agreement: Agreement, mapped: Mapped, *, gone: bool) -> None:
        """Disable our project, or enable it again, and record it.

        Raises:
            PeerError: Keystone does not work.
        """
        if not await self._keystone.switch(mapped.local, enabled=not gone):
            _LOG.warning(
                "project %s, which stands for one of %s, stays as it is: the gateway's account may not change it "
                "(identity:update_project)",
                mapped.local,
                agreement.peer,
            )
        new = await asyncio.to_thread(self._agreements.store.projects.mark, agreement.peer, mapped.foreign, gone=gone)
        if new:
            what = "is gone there: disabled here" if gone else "exists there again"
            _LOG.info("project %s of %s (%s here) %s", mapped.foreign, agreement.peer, mapped.local, what)
