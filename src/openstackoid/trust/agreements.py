"""Agreements: our side of one, what a peer says of its side, and the events that change ours. Values only.

Each side writes down what *it* allows, its grant (`grants`); together the two are the agreement. Nothing passes before both said yes.

    event     proposed    active      suspended
    allow     active      active      active
    suspend   suspended   suspended   suspended
    remove    gone        gone        gone

"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from openstackoid.core import limits
from openstackoid.trust.grants import ID, ROLE, Grant

_FINGERPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class State(StrEnum):
    """Where our side of an agreement stands."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    SUSPENDED = "suspended"


TRANSITIONS: Final[Mapping[str, Mapping[State, State | None]]] = {
    "allow": dict.fromkeys(State, State.ACTIVE),
    "suspend": dict.fromkeys(State, State.SUSPENDED),
    "remove": dict.fromkeys(State, None),
}


def is_fingerprint(text: str) -> bool:
    """Whether a text is a key's RFC 7638 thumbprint: SHA-256 in base64url, 43 characters."""
    return _FINGERPRINT.match(text) is not None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Our side of an agreement with a peer.

    Attributes:
        id: of our grant; a new one whenever the peer is added anew, so that tokens of an old one end with it.
        peer: the other cloud's name.
        url: base URL of its gateway, where it meets peers.
        fingerprint: RFC 7638 thumbprint of a signing key of the peer, checked by the operator.
        state: our yes or no.
        grant: what we allow.
        by_file: whether it stands in the configuration, not in the database.
    """

    id: str
    peer: str
    url: str
    fingerprint: str
    state: State
    grant: Grant
    by_file: bool = False

    @property
    def active(self) -> bool:
        """Whether we said yes."""
        return self.state is State.ACTIVE


@dataclass(frozen=True, slots=True)
class Statement:
    """What a peer says of its side: at `GET /openstackoid/v1/agreement`, to the peer itself alone.

    Attributes:
        id: of the peer's grant, that our tokens must name; None before the peer added us.
        state: `proposed`, `active`, `suspended`, or `unknown`.
        services: service types that it offers.
        roles: names of our roles that count there, in lower case.
    """

    id: str | None
    state: str
    services: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it stands in the answer."""
        return {"agreement": self.id, "state": self.state, "services": list(self.services), "roles": list(self.roles)}

    @classmethod
    def from_json(cls, document: object) -> "Statement":
        """Read a peer's answer.

        Raises:
            ValueError: for anything but the form above.
        """
        if not isinstance(document, dict):
            raise ValueError("expected an object")  # noqa: TRY004 - one error for one caller
        identity, state = document.get("agreement"), document.get("state")
        lists = [document.get("services", []), document.get("roles", [])]
        if not (identity is None or _is(ID, identity)) or not _is(ID, state):
            raise ValueError("expected agreement and state")
        for form, names, most in zip((ID, ROLE), lists, (limits.SERVICES, limits.ROLES), strict=True):
            if not isinstance(names, list) or len(names) > most or not all(_is(form, name) for name in names):
                raise ValueError(
                    f"expected lists of {limits.SERVICES} service types at most at services, and {limits.ROLES} roles at roles"
                )
        return cls(identity, str(state), tuple(lists[0]), tuple(lists[1]))


def _is(form: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and form.match(text) is not None
