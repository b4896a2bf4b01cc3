"""Work of a provider's control plane outside its database, on record before it is done. Pure.

    kind        of             stages
    provision   a contract     checking -> done: then the contract is provisioned, and active
    clean       a contract     listing -> waiting (for its projects) -> done
    clean       a sub-project  resources -> admin -> project -> mapping -> done
    state       a sub-project  enabling | disabling -> done

Each stage looks at what is there before it changes anything, so that one that was killed in the middle is done again from its start. A stage that
fails is tried again later, and `error` and `left` say why, and what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class WorkKind(StrEnum):
    """What is to be done."""

    PROVISION = "provision"
    CLEAN = "clean"
    STATE = "state"


class Stage(StrEnum):
    """How far it is."""

    CHECKING = "checking"
    LISTING = "listing"
    WAITING = "waiting"
    RESOURCES = "resources"
    ADMIN = "admin"
    PROJECT = "project"
    MAPPING = "mapping"
    ENABLING = "enabling"
    DISABLING = "disabling"
    DONE = "done"


WHOLE: Final = ""  # the project of work on a contract as a whole
LONGEST_PAUSE: Final = 300  # seconds between two attempts
MOST_LEFT: Final = 100  # resources that a row names


@dataclass(frozen=True, slots=True)
class Left:
    """A resource that is still there.

    Attributes:
        service: official type.
        kind: as the service's API names it: `servers`.
        id: there.
        name: its user gave it; may be empty.
        reason: why it is still there; empty if nobody has tried to remove it.
    """

    service: str
    kind: str
    id: str
    name: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, str]:
        """As it stands in the database and in answers."""
        return {"service": self.service, "kind": self.kind, "id": self.id, "name": self.name, "reason": self.reason}

    @classmethod
    def from_json(cls, document: Mapping[str, str]) -> "Left":
        """Read what `to_json` wrote."""
        return cls(document["service"], document["kind"], document["id"], document["name"], document["reason"])


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work.

    Attributes:
        contract: id.
        kind: what is to be done.
        project: the consumer's id of the project; empty for the contract as a whole.
        local: id of the sub-project here; empty for the contract as a whole.
        stage: how far it is.
        removed: how many resources were removed.
        left: what is still there.
        error: why the last attempt failed; empty if it did not.
        attempts: how many failed, since something was achieved.
    """

    contract: str
    kind: WorkKind
    project: str
    local: str
    stage: Stage
    removed: int = 0
    left: tuple[Left, ...] = ()
    error: str = ""
    attempts: int = 0

    def to_json(self) -> dict[str, Any]:
        """As operators see it."""
        return {
            "kind": self.kind.value,
            "project": self.project,
            "local_project": self.local,
            "stage": self.stage.value,
            "removed": self.removed,
            "left": [left.to_json() for left in self.left],
            "error": self.error,
            "attempts": self.attempts,
        }


def pause(attempts: int) -> int:
    """Seconds until the next attempt after so many: 1, 2, 4, ..., at most `LONGEST_PAUSE`."""
    return min(LONGEST_PAUSE, 1 << min(attempts, 16))


def summary(works: Sequence[Work]) -> dict[str, Any] | None:
    """How far the clean-up of a contract is, or None if there is none."""
    cleaning = [work for work in works if work.kind is WorkKind.CLEAN]
    if not cleaning:
        return None
    projects = [work for work in cleaning if work.project != WHOLE]
    done = sum(work.stage is Stage.DONE for work in projects)
    whole = next((work for work in cleaning if work.project == WHOLE), None)
    return {
        "done": all(work.stage is Stage.DONE for work in cleaning),
        "ended": whole is not None,
        "projects": len(projects),
        "projects_done": done,
        "resources_removed": sum(work.removed for work in projects),
        "left": [left.to_json() | {"project": work.local} for work in projects for left in work.left][:MOST_LEFT],
        "errors": sorted({work.error for work in cleaning if work.error}),
    }
