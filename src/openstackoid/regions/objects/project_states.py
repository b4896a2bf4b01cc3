"""Projects of a consumer as its provider has to follow them: enabled, disabled, deleted. Pure.

The consumer compares its own projects with those for which the provider has made sub-projects, and sends a **statement**: a JWS of type
`openstackoid-projects+jws` by the consumer's signing key, with this payload:

    {"iss": "CloudA", "aud": "CloudP", "contract": "0f3c...", "serial": 7, "states": {"9b1c...": "disabled", "77ab...": "deleted"}}

A project that is not named is enabled. A statement says what is to be, not what has changed: one that is lost or arrives twice changes nothing, and
one with a lower serial than another before it is refused. The answer names the projects that have sub-projects now.

A project that the consumer's Keystone does not list is called disabled first, and deleted after a time (`deleted_after` of the configuration): a database
that was restored from a copy, or an account that sees less than it should, must not cost users their servers. The wall clock alone does not decide: it may
step, also while no process runs. So who says it must have seen the project missing in each of its own lists for some time, by a clock that does not step.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from openstackoid.trust import signatures
from openstackoid.trust.keys import Keys

TYPE: Final = "openstackoid-projects+jws"
LONGEST: Final = 1 << 19  # characters of a signed statement
MOST: Final = 10_000  # projects of a contract
WATCHED: Final = 600  # seconds for which a process has to miss a project itself before it calls it deleted


class ProjectState(StrEnum):
    """The state of a project at its home."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    MISSING = "missing"  # not listed, and not for long
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a consumer says of its projects.

    Attributes:
        sender, recipient: names of clouds.
        contract: id.
        serial: grows with every statement.
        states: of projects that are not enabled.
    """

    sender: str
    recipient: str
    contract: str
    serial: int
    states: Mapping[str, ProjectState]

    def sign(self, keys: Keys, now: float) -> str:
        """As it is sent."""
        states = {project: state.value for project, state in self.states.items()}
        payload = {"iss": self.sender, "aud": self.recipient, "contract": self.contract, "serial": self.serial}
        return signatures.sign(payload | {"states": states}, TYPE, keys.signer(now))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Statement":
        """Read a payload whose form a schema has checked."""
        states = {project: ProjectState(state) for project, state in document["states"].items()}
        return cls(document["iss"], document["aud"], document["contract"], document["serial"], states)


def compare(
    followed: Collection[str],
    listed: Mapping[str, bool],
    missing_since: Mapping[str, int],
    now: int,
    deleted_after: int,
    watched: Mapping[str, float],
) -> tuple[dict[str, ProjectState], dict[str, int]]:
    """What to say of the projects that have sub-projects.

    Args:
        followed: ids, as the provider knows them, of projects with a sub-project.
        listed: id, as the provider knows it -> whether it is enabled, of every project of our Keystone.
        missing_since: projects that were missing the last time -> since when (Unix seconds).
        now: Unix seconds.
        deleted_after: seconds.
        watched: projects that this process has missed in every list for some time -> for how many seconds, by a clock that does not step.

    Returns:
        The states to say, and the projects that are missing with the time since when.
    """
    # A time in the future is of a clock that was ahead.
    missing = {project: min(missing_since.get(project, now), now) for project in followed if project not in listed}
    least = min(deleted_after, WATCHED)
    states = {
        project: ProjectState.DELETED
        if now - since >= deleted_after and watched.get(project, 0.0) >= least
        else ProjectState.DISABLED
        for project, since in missing.items()
    }
    states |= {project: ProjectState.DISABLED for project in followed if listed.get(project) is False}
    return states, missing
