"""Whether the projects of this cloud that stand for others' may be used: their own Keystone can disable or delete them, or disable their domain.

Foreign users' tokens are not Keystone's, so a freeze would not reach them. The gateway asks its own Keystone with `trust.account`, and an answer counts
for `trust.recheck` seconds. Without the account, or without the right to see the project, a freeze does not reach foreign users.
"""

import math
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from openstackoid.core.catalog import Json
from openstackoid.core.errors import BackendUnreachableError, FrozenProjectError, PeerError
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.gateway.federation.memory import MIB, Memory
from openstackoid.gateway.federation.shared_tasks import SharedTasks
from openstackoid.trust.agreements import Agreement

_MAX_BYTES: Final = 4 * MIB
_GRACE: Final = 60.0  # seconds for which an answer counts while Keystone does not work, as agreements do
_MISSING: Final[Json] = {"enabled": False}


@dataclass(frozen=True, slots=True)
class _State:
    """An answer: when it was given (monotonic), why the project may not be used, and whether Keystone knows the project."""

    asked: float
    closed: str | None
    exists: bool = True


class ProjectStates:
    """The states of projects.

    Args:
        api: requests to Keystone.
        recheck: seconds for which an answer counts.
    """

    def __init__(self, api: KeystoneApi, recheck: float) -> None:
        self._api = api
        self._recheck = recheck
        self._states: Memory[str, _State] = Memory(_MAX_BYTES, lambda _: 0)
        self._asking: SharedTasks[str, _State] = SharedTasks()

    async def check(self, agreement: Agreement, project: str, *, fresh: bool = False) -> None:
        """Check that a project may be used.

        Args:
            agreement: with the cloud whose user works in the project.
            project: id here.
            fresh: use no answer of before; if Keystone does not work, the last one counts.

        Raises:
            FrozenProjectError: Keystone has disabled or deleted the project, or disabled its domain.
            PeerError: Keystone has not worked for a while.
        """
        if not self._api.has_account:
            return
        state = self._states.get(project)
        if state is None or fresh or time.monotonic() - state.asked >= self._recheck:
            try:
                state = await self._asking.run(project, lambda: self._ask(project))
            except PeerError:
                if state is None or time.monotonic() - state.asked >= self._recheck + _GRACE:
                    raise
        # With `same` the two clouds may share ids of projects that only one of them knows.
        if state.closed and (state.exists or agreement.grant.projects.kind != "same"):
            raise FrozenProjectError(
                f"The project here that stands for the user's project of {agreement.peer} {state.closed}. Ask this cloud's operators."
            )

    def trusted_until(self, project: str) -> float:
        """Until when the last answer about a project counts (Unix seconds); without an account, for ever."""
        if not self._api.has_account:
            return math.inf
        state = self._states.get(project)
        return time.time() - time.monotonic() + (state.asked + self._recheck if state else 0.0)

    async def _ask(self, project: str) -> _State:
        now = time.monotonic()
        state = _State(now, None)
        described = await self._described("project", project)
        if described is _MISSING:
            state = _State(now, "has been deleted", exists=False)
        elif described is not None and not described.get("enabled", True):
            state = _State(now, "is disabled")
        elif described is not None:
            domain = await self._described("domain", str(described.get("domain_id")))
            state = _State(now, None if domain is None or domain.get("enabled", True) else "is in a disabled domain")
        self._states.keep(project, state)
        return state

    async def _described(self, kind: str, id_: str) -> Json | None:
        """A project or a domain as Keystone describes it; `_MISSING` if there is none, None if the account may not see it.

        Raises:
            PeerError: Keystone does not work.
        """
        status, answer = await self._api.by_account("GET", f"/v3/{kind}s/{quote(id_, safe='')}")
        if status == HTTPStatus.NOT_FOUND and isinstance(answer.get("error"), dict):
            return _MISSING
        if status == HTTPStatus.FORBIDDEN:
            return None
        described = answer.get(kind)
        if status != HTTPStatus.OK or not isinstance(described, dict):
            raise BackendUnreachableError(f"This cloud's identity service answered {status} when asked about a {kind}.")
        return described
