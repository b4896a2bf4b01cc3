"""Agreements: our side, the peer's statement of its side, and the events that change our side. Values only.

Each side records what *it* allows, its grant (`grants`); the two grants are the agreement. No request passes before both sides have allowed it.

    event     proposed    active      suspended
    allow     active      active      active
    suspend   suspended   suspended   suspended
    remove    gone        gone        gone

"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from openstackoid.core import limits
from openstackoid.core.region_resources import WHOLE, Resources
from openstackoid.trust.grants import ID, ROLE, Grant

_FINGERPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class State(StrEnum):
    """The state of our side of an agreement."""

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
        id: of our grant; new whenever the peer is added again, so that tokens of an old agreement become invalid with it.
        peer: the other cloud's name.
        url: base URL of its gateway's peering address.
        fingerprint: RFC 7638 thumbprint of a signing key of the peer, checked by the operator.
        state: whether we allow it.
        grant: the rights that we allow.
        by_file: whether the agreement is in the configuration, not in the database.
        by_contract: whether it is a contract about a virtual region (`contracts`), of which there may be several with one peer.
        resources: what of this cloud is in the region of such a contract; everything under any other agreement.
        quota: of such a contract, over all its projects; empty under any other agreement.
        resold: name of a region of this cloud, part of a third one, that such a contract is about; empty if it is about this cloud's own services.
    """

    id: str
    peer: str
    url: str
    fingerprint: str
    state: State
    grant: Grant
    by_file: bool = False
    by_contract: bool = False
    resources: Resources = WHOLE
    quota: Mapping[str, int] = field(default_factory=dict)
    resold: str = ""

    @property
    def party(self) -> str:
        """The owner of projects and users that come under the agreement: the peer, or one contract with it (no peer's name has a colon)."""
        return f"contract:{self.id}" if self.by_contract else self.peer

    @property
    def active(self) -> bool:
        """Whether we said yes."""
        return self.state is State.ACTIVE


@dataclass(frozen=True, slots=True)
class Statement:
    """A side's statement of the agreement: the answer to `GET /openstackoid/v1/agreement`, which only the other side can read.

    Attributes:
        id: of the peer's grant, which our tokens must name; None before the peer added us.
        state: `proposed`, `active`, `suspended`, or `unknown`.
        services: service types that it offers.
        roles: names of our roles that count there, in lower case.
    """

    id: str | None
    state: str
    services: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON of the answer."""
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
