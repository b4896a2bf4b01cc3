"""Grants: the rights that this cloud allows a peer, validated as a whole. Values only.

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
    project_pseudonyms: true                                # nor which projects our users work in
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from openstackoid.core.services import service_type
from openstackoid.trust.rules import LONGEST_PATTERN, METHODS, MOST_WILDCARDS, Rule, is_pattern, whole

# A word that an operator cannot write by accident.
ADMIN_WORD: Final = "foreign-admins-are-admins-here"
# Roles that have rights over other users' resources, by OpenStack's default policies or a service's own rules.
POWERFUL: Final = frozenset({"admin", "service", "manager", "cloud_admin", "domain_admin", "domain_manager"})
# A role's name, and an id or a name without special characters.
ROLE: Final = re.compile(r"[^\x00-\x1f,\x7f]{1,255}\Z")
ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Projects:
    """The mapping of the peer's projects to projects of this cloud.

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
        if colon and ID.match(where):
            if kind == "one":
                return cls("one", where)
            if kind == "each":
                return cls("each", where)
        raise ValueError("expected same, one:PROJECT_ID or each:DOMAIN_ID")


def _read_rule(value: Any) -> Any:
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


def _written(rule: Rule) -> dict[str, str]:
    return {"service": rule.service, "method": rule.method, "path": rule.path}


def _read_projects(value: Any) -> Any:
    return Projects.parse(value) if isinstance(value, str) else value


def _check_roles(roles: dict[str, str]) -> dict[str, str]:
    if not all(ROLE.match(name) for pair in roles.items() for name in pair):
        raise ValueError("expected names of roles, 255 characters at most, without commas")
    # OpenStack compares roles without case (oslo_policy/_checks.py, RoleCheck).
    return {theirs.lower(): ours for theirs, ours in roles.items()}


AccessRule = Annotated[Rule, BeforeValidator(_read_rule), PlainSerializer(_written)]
Mapped = Annotated[Projects, BeforeValidator(_read_projects), PlainSerializer(str)]
# The request that a server in another cloud needs from its user's own cloud: to read the image that it starts from.
HOME: Final = tuple(
    Rule("image", method, path)
    for method in ("GET", "HEAD")
    for path in ("/v2/images", "/v2/images/**", "/v2/schemas/**")
)


class Grant(BaseModel):
    """The rights that this cloud allows a peer; the form above, validated as a whole.

    Attributes:
        services: every request to these services is allowed, without rules.
        rules: further allowed requests.
        roles: the peer's role, in lower case -> our role. Other roles give no rights.
        admin_roles: must hold `ADMIN_WORD` before `roles` may give a powerful role.
        projects: the mapping of the peer's projects to ours.
        most_projects: maximum number of projects created on demand.
        rate: requests a second that the peer's users may send, or None.
        home: requests that the peer's services may send to ours on behalf of our own users.
        pseudonyms: whether the peer gets pseudonyms instead of our users' ids and names.
        project_pseudonyms: the same for our projects.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    services: tuple[str, ...] = ()
    rules: tuple[AccessRule, ...] = ()
    roles: Annotated[dict[str, str], AfterValidator(_check_roles)] = {"member": "member", "reader": "reader"}
    admin_roles: str | None = None
    projects: Mapped = Projects("each", "default")
    most_projects: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    rate: Annotated[float, Field(gt=0, le=1e6)] | None = None
    home: tuple[AccessRule, ...] = HOME
    pseudonyms: bool = False
    project_pseudonyms: bool = False

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
        """Every rule, including those that `services` implies."""
        return (*whole(service_type(kind) or kind for kind in self.services), *self.rules)

    @property
    def offered(self) -> list[str]:
        """The service types with an allowed request, sorted."""
        return sorted({rule.service for rule in self.allows})
