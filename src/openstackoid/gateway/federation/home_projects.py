"""Which projects of this cloud do not exist any more, for peers that hold projects in their stead (`absent_projects` asks).

A peer learns only of ids that it names, in the form in which it knows them: under an agreement with pseudonyms of projects, nothing else is known.
The answer is about all of them, or there is none: an account that does not see every project must not make projects seem deleted.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from openstackoid.core import limits
from openstackoid.core.errors import AccountError, BackendUnreachableError, RateError
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.trust import tokens
from openstackoid.trust.keys import Keys

_MIN_INTERVAL: Final = 1.0  # seconds


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
        self._answered: dict[str, float] = {}  # peer -> when (monotonic)

    async def gone(self, peer: str, ids: Sequence[str]) -> list[str]:
        """Those of some ids that stand for no project of this cloud.

        Args:
            peer: who asks, authenticated.
            ids: as the peer knows the projects.

        Raises:
            AgreementError: the agreement is not in force.
            RateError: the peer asks too often.
            AccountError: the gateway's account does not see all projects.
            PeerError: Keystone does not work.
        """
        agreement = self._agreements.active_agreement(peer)
        now = time.monotonic()
        if now - self._answered.get(peer, -math.inf) < self._interval:
            raise RateError(f"Expected one question about projects in {self._interval:g} s.")
        self._answered[peer] = now
        existing = await self._existing()
        return await asyncio.to_thread(
            _missing, ids, existing, peer if agreement.grant.project_pseudonyms else None, self._agreements.keys
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


def _missing(ids: Sequence[str], existing: Sequence[str], hidden_from: str | None, keys: Keys) -> list[str]:
    if hidden_from is None:
        shown = set(existing)
    else:
        shown = {tokens.project_pseudonym(project, hidden_from, keys) for project in existing}
    return [identity for identity in ids if identity not in shown]
