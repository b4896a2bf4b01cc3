"""Which projects of this cloud do not exist any more, for peers that hold projects in their stead (`absent_projects` asks).

A peer learns only of ids that it names, in the form in which it knows them: under an agreement with pseudonyms of projects, nothing else is known.
The answer is about all of them, or there is none: an account that does not see every project must not make projects seem deleted.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from openstackoid.core import limits
from openstackoid.core.errors import AccountError, BackendUnreachableError, RateError
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.trust import tokens

_MIN_INTERVAL: Final = 1.0  # seconds
_PAGES_WITHIN: Final = 120.0  # seconds for which a list is kept for the next pages of a question
_MOST_PAGES: Final = 1000  # of one question


@dataclass(frozen=True, slots=True)
class _Answered:
    """The last question of a peer.

    Attributes:
        at: when it came (monotonic).
        question: its id; empty if the peer gives none.
        shown: this cloud's projects by the ids that the peer knows; None when they are not kept any more.
        pages: how many were answered.
    """

    at: float
    question: str
    shown: asyncio.Future[frozenset[str]] | None
    pages: int = 1


class HomeProjects:
    """Answers peers. The projects are listed after the question has come, so that one that was made just now is among them.

    Args:
        api: requests to this cloud's Keystone.
        agreements: with the peers.
        interval: seconds between two answers to one peer: each costs a list of all projects.
    """

    def __init__(self, api: KeystoneApi, agreements: Agreements, interval: float) -> None:
        self._api = api
        self._agreements = agreements
        self._interval = max(interval, _MIN_INTERVAL)
        self._answered: dict[str, _Answered] = {}

    async def gone(self, peer: str, ids: Sequence[str], question: str = "") -> list[str]:
        """Those of some ids that stand for no project of this cloud.

        Args:
            peer: who asks, authenticated.
            ids: as the peer knows the projects.
            question: of which the ids are a page: the next pages are answered from the same list, so they need not wait.

        Raises:
            AgreementError: the agreement is not in force.
            RateError: the peer asks too often.
            AccountError: the gateway's account does not see all projects.
            PeerError: Keystone does not work.
        """
        agreement = self._agreements.active_agreement(peer)
        now = time.monotonic()
        for other in [name for name, known in self._answered.items() if now - known.at >= _PAGES_WITHIN]:
            self._answered[other] = replace(self._answered[other], shown=None)
        last = self._answered.get(peer)
        if last is not None and last.shown is not None and question and last.question == question:
            if last.pages >= _MOST_PAGES:
                raise RateError(f"Expected {_MOST_PAGES} pages of a question about projects at most.")
            self._answered[peer] = replace(last, pages=last.pages + 1)
            return _missing(ids, await last.shown)
        if last is not None and now - last.at < self._interval:
            raise RateError(f"Expected one question about projects in {self._interval:g} s.")
        # A list that fails is as good as none: the pages after it fail with it.
        shown = asyncio.ensure_future(self._shown(peer if agreement.grant.project_pseudonyms else None))
        self._answered[peer] = _Answered(now, question, shown)
        return _missing(ids, await asyncio.shield(shown))

    async def _shown(self, hidden_from: str | None) -> frozenset[str]:
        """All projects of this cloud by the ids that a peer knows."""
        existing, keys = await self._existing(), self._agreements.keys
        if hidden_from is None:
            return frozenset(existing)
        return await asyncio.to_thread(
            lambda: frozenset(tokens.project_pseudonym(project, hidden_from, keys) for project in existing)
        )

    async def _existing(self) -> list[str]:
        """The ids of all projects of this cloud, disabled ones too."""
        if not self._api.has_account:
            raise AccountError("The gateway has no account in this cloud's identity service: trust.account.")
        # An account of one domain is refused here, where one that sees all projects is told that there is none.
        status, answer = await self._api.by_account("GET", f"/v3/projects/{uuid.uuid4().hex}")
        if status != HTTPStatus.NOT_FOUND or not isinstance(answer.get("error"), dict):
            raise AccountError(
                f"The gateway's account does not see all projects of this cloud (status {status} instead of 404)."
            )
        status, answer = await self._api.by_account("GET", "/v3/projects", limit=limits.ANSWER)
        projects = answer.get("projects")
        if status == HTTPStatus.FORBIDDEN or (status == HTTPStatus.OK and answer.get("truncated")):
            raise AccountError("The gateway's account gets no complete list of this cloud's projects.")
        if status != HTTPStatus.OK or not isinstance(projects, list):
            raise BackendUnreachableError(f"This cloud's identity service answered {status} to a list of projects.")
        return [str(project["id"]) for project in projects]


def _missing(ids: Sequence[str], shown: frozenset[str]) -> list[str]:
    return [identity for identity in ids if identity not in shown]
