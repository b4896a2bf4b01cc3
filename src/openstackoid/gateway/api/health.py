"""The health of a gateway, part by part.

| part | degraded | failed |
|---|---|---|
| `agreements` | the database has not been read for 10 s: rights that ended in it still count | for a minute: federated requests get 503 |
| `audit` | lines cannot be written | |
| `certificates` | one has ended: clients refuse it | |
| `loops` | one last worked more than a minute ago | |

Peers are shown, and do not count: a peer that is down is no fault of this gateway.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from openstackoid.gateway.telemetry.gauges import State

AGREEMENTS_LATE: Final = 10.0  # seconds; they are read twice a second
LOOP_STUCK: Final = 60.0  # seconds; as in the alert rule


class Status(StrEnum):
    """Of a part, and of the whole: its worst part's."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a gateway: its status, and why it is not `ok`."""

    status: Status
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As in the answer."""
        return {"status": self.status, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Health:
    """The parts by their names."""

    parts: Mapping[str, Part]

    @property
    def status(self) -> Status:
        """The worst status of a part."""
        statuses = {part.status for part in self.parts.values()}
        return next((status for status in (Status.FAILED, Status.DEGRADED) if status in statuses), Status.OK)

    @property
    def ready(self) -> bool:
        """Whether no part has failed: requests are served."""
        return self.status is not Status.FAILED

    def to_json(self) -> dict[str, Any]:
        """The answer at `/healthz`, without the peers."""
        return {"status": self.status, "parts": {name: part.to_json() for name, part in self.parts.items()}}


_OK: Final = Part(Status.OK)


def health(state: State, *, stale_after: float, audit: str | None, loops: Mapping[str, float]) -> Health:
    """Judge a gateway.

    Args:
        state: of the gateway.
        stale_after: seconds after which agreements that cannot be read stop to count.
        audit: why the audit cannot be written, or None.
        loops: name -> seconds since the loop last worked.
    """
    stuck = {name: age for name, age in sorted(loops.items()) if age > LOOP_STUCK}
    ended = [key for key, end in sorted(state.certificate_ends.items()) if end < time.time()]
    parts = {
        "audit": Part(Status.DEGRADED, f"it cannot be written: {audit}") if audit else _OK,
        "loops": _OK,
    }
    if stuck:
        listed = ", ".join(f"{name} last worked {age:.0f} s ago" for name, age in stuck.items())
        parts["loops"] = Part(Status.DEGRADED, listed)
    if state.certificate_ends:
        detail = f"ended: {', '.join(ended)}; renew, then reload"
        parts["certificates"] = Part(Status.DEGRADED, detail) if ended else _OK
    if state.agreements_age is not None:
        parts["agreements"] = _agreements(state.agreements_age, stale_after)
    return Health(parts)


def _agreements(age: float, stale_after: float) -> Part:
    detail = f"the database was last read {age:.0f} s ago"
    if age > stale_after:
        return Part(Status.FAILED, f"{detail}: federated requests get 503")
    return Part(Status.DEGRADED, detail) if age > AGREEMENTS_LATE else _OK
