"""Agreements: what this cloud allows a peer, and the life of that. Values only.

Each side writes down what *it* allows, its **grant**; together the two are the agreement. Nothing passes before both said yes.

    event     proposed    active      suspended
    allow     active      active      active
    suspend   suspended   suspended   suspended
    remove    gone        gone        gone

A grant in a configuration file, and the same in JSON in the database and on the wire:

    services: [image]                                       # everything of these services, or
    rules:                                                  # what exactly, as in application credentials
      - {service: image, method: GET, path: /v2/images/**}
    roles: {member: member, reader: reader}                 # theirs -> ours; the default
    projects: each:default                                  # same | one:PROJECT_ID | each:DOMAIN_ID; this is the default
    most_projects: 1000                                     # that are made on demand
    rate: 100                                               # requests a second
    home: [...]                                             # what their services may ask of ours for our own users
    pseudonyms: true                                        # they do not learn who our users are
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from openstackoid.core import limits
from openstackoid.core.services import service_type
from openstackoid.trust.rules import LONGEST_PATTERN, METHODS, MOST_WILDCARDS, Rule, is_pattern, whole

# The word that nobody writes by accident.
ADMIN_WORD: Final = "foreign-admins-are-admins-here"
# Roles that OpenStack's default policies, or a service's own rules, give power over other people's things.
POWERFUL: Final = frozenset({"admin", "service", "manager", "cloud_admin", "domain_admin", "domain_manager"})
_ROLE: Final = re.compile(r"[^\x00-\x1f,\x7f]{1,255}\Z")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
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


@dataclass(frozen=True, slots=True)
class Projects:
    """Which project of ours stands for theirs.

    Attributes:
        kind: `same` (the same id: the peer may then name any project of ours), `one` (one for all), `each` (one for each,
            made on demand).
        where: the project's id (`one`), the domain's id (`each`), or None.
    """

    kind: Literal["same", "one", "each"]
    where: str | None = None

    def __str__(self) -> str:
        return self.kind if self.where is None else f"{self.kind}:{self.where}"

    @classmethod
    def parse(cls, text: str) -> "Projects":
        """Read `same`, `one:PROJECT_ID` or `each:DOMAIN_ID`.

        Raises:
            ValueError: for anything else.
        """
        kind, colon, where = text.partition(":")
        if text == "same":
            return cls("same")
        if colon and _ID.match(where):
            if kind == "one":
                return cls("one", where)
            if kind == "each":
                return cls("each", where)
        raise ValueError("expected same, one:PROJECT_ID or each:DOMAIN_ID")


def _rule(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() != {"service", "method", "path"} or not all(isinstance(part, str) for part in value.values()):
        raise ValueError("expected service, method and path")
    kind, method, path = service_type(value["service"]), value["method"].upper(), value["path"]
    if kind is None:
        raise ValueError(f"expected a service type such as image, got {value['service']!r}")
    if method not in METHODS:
        raise ValueError(f"expected a method of {', '.join(METHODS)}, got {value['method']!r}")
    if not is_pattern(path):
        most = f"{LONGEST_PATTERN} characters and {MOST_WILDCARDS} wildcards at most"
        raise ValueError(f"expected a path such as /v2/images/**, with {most}, got {path[: 2 * LONGEST_PATTERN]!r}")
    return Rule(kind, method, path)


def _told(rule: Rule) -> dict[str, str]:
    return {"service": rule.service, "method": rule.method, "path": rule.path}


def _mapping(value: Any) -> Any:
    return Projects.parse(value) if isinstance(value, str) else value


def _roles(roles: dict[str, str]) -> dict[str, str]:
    if not all(_ROLE.match(name) for pair in roles.items() for name in pair):
        raise ValueError("expected names of roles, 255 characters at most, without commas")
    # OpenStack compares roles without case (oslo_policy/_checks.py, RoleCheck).
    return {theirs.lower(): ours for theirs, ours in roles.items()}


def is_fingerprint(text: str) -> bool:
    """Whether a text is a key's RFC 7638 thumbprint: SHA-256 in base64url, 43 characters."""
    return _FINGERPRINT.match(text) is not None


AccessRule = Annotated[Rule, BeforeValidator(_rule), PlainSerializer(_told)]
Mapped = Annotated[Projects, BeforeValidator(_mapping), PlainSerializer(str)]
# What a server elsewhere needs of its user's own cloud: to read the image that it starts from.
HOME: Final = tuple(
    Rule("image", method, path)
    for method in ("GET", "HEAD")
    for path in ("/v2/images", "/v2/images/**", "/v2/schemas/**")
)


class Grant(BaseModel):
    """What this cloud allows a peer; the form above, checked as a whole.

    Attributes:
        services: all of these is allowed; spares writing rules.
        rules: what is allowed, beside `services`.
        roles: their role, in lower case -> ours. A role that is not here gives nothing.
        admin_roles: must hold `ADMIN_WORD` before `roles` may give a powerful role.
        projects: which project of ours stands for theirs.
        most_projects: how many are made on demand, at most.
        rate: requests a second that the peer's users may send, or None.
        home: what the peer's services may ask of ours on behalf of our own users.
        pseudonyms: whether the peer gets pseudonyms instead of our users' ids and names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    services: tuple[str, ...] = ()
    rules: tuple[AccessRule, ...] = ()
    roles: Annotated[dict[str, str], AfterValidator(_roles)] = {"member": "member", "reader": "reader"}
    admin_roles: str | None = None
    projects: Mapped = Projects("each", "default")
    most_projects: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    rate: Annotated[float, Field(gt=0, le=1e6)] | None = None
    home: tuple[AccessRule, ...] = HOME
    pseudonyms: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> "Grant":
        for service in self.services:
            if service_type(service) is None:
                raise ValueError(f"services: expected service types such as image, got {service!r}")
        given = sorted(ours for ours in self.roles.values() if ours.lower() in POWERFUL)
        if given and self.admin_roles != ADMIN_WORD:
            raise ValueError(
                f"roles: {', '.join(given)} gives people of another cloud power over everything here; "
                f"who means it writes admin_roles: {ADMIN_WORD}"
            )
        if any(service_type(kind) == "identity" for kind in self.services) or any(
            rule.service == "identity" for rule in (*self.rules, *self.home)
        ):
            raise ValueError("identity is never shared: each cloud's users are its own")
        return self

    @property
    def allows(self) -> tuple[Rule, ...]:
        """Every rule, those that `services` stands for too."""
        return (*whole(service_type(kind) or kind for kind in self.services), *self.rules)

    @property
    def offered(self) -> list[str]:
        """The service types of which something is allowed, sorted."""
        return sorted({rule.service for rule in self.allows})


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
        if not (identity is None or _is(_ID, identity)) or not _is(_ID, state):
            raise ValueError("expected agreement and state")
        for form, names, most in zip((_ID, _ROLE), lists, (limits.SERVICES, limits.ROLES), strict=True):
            if not isinstance(names, list) or len(names) > most or not all(_is(form, name) for name in names):
                raise ValueError(
                    f"expected lists of {limits.SERVICES} service types at most at services, and {limits.ROLES} roles at roles"
                )
        return cls(identity, str(state), tuple(lists[0]), tuple(lists[1]))


def _is(form: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and form.match(text) is not None
