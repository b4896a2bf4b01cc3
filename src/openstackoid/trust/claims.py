"""Claims of a federated token: values, and their JSON. Pure.

    {"iss": "CloudOne", "aud": "CloudTwo", "sub": USER_ID, "iat": 0, "exp": 0, "jti": ID,
     "user": {"name", "domain": {"id", "name"}}, "project": {"id", "name", "domain": {...}}, "roles": [...],
     "os_scope": {"*": "CloudOne", "image": "CloudTwo"}, "agreement": ID, "home": SEALED, "act": {"sub": "CloudThree"}, "resold": 1}

`home` is the user's own token, encrypted with a key that only the home cloud has (`sealing`). It is present if the token may be used for requests back
to the home cloud, or for an exchange there (`gateway.federation.issuer`). `act` (RFC 8693, 4.1) is the cloud that requested this token for a third cloud.
`resold` counts the clouds before the issuer, when it resells a region and the user is the last but one's: that cloud's name is not told.
There is no `nbf`: it would equal `iat`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from openstackoid.core import id_forms
from openstackoid.core import scope as scopes
from openstackoid.core.errors import ScopeError, TokenError
from openstackoid.core.scope import Scope, is_name

_LONGEST_SEALED: Final = 3072  # characters: as many as a whole token
_MOST_ROLES: Final = 64
_ID_LENGTH: Final = 64
MOST_RESOLD: Final = 8


@dataclass(frozen=True, slots=True)
class Named:
    """A user or a project with its domain, by id and name."""

    id: str
    name: str
    domain_id: str
    domain_name: str


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a federated token. Times are Unix seconds."""

    issuer: str
    audience: str
    id: str
    issued: int
    expires: int
    agreement: str
    user: Named
    project: Named
    roles: tuple[str, ...]
    scope: Scope
    sealed: str | None
    actor: str | None = None
    resold: int = 0

    def to_json(self) -> dict[str, Any]:
        """The payload."""
        payload = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": self.user.id,
            "iat": self.issued,
            "exp": self.expires,
            "jti": self.id,
            "user": {"name": self.user.name, "domain": _domain(self.user)},
            "project": {"id": self.project.id, "name": self.project.name, "domain": _domain(self.project)},
            "roles": list(self.roles),
            "os_scope": {kind: str(expression) for kind, expression in self.scope.entries},
            "agreement": self.agreement,
        }
        payload |= {"home": self.sealed} if self.sealed is not None else {}
        payload |= {"resold": self.resold} if self.resold else {}
        return payload | ({"act": {"sub": self.actor}} if self.actor else {})

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> "Claims":
        """Read a payload whose signature was verified.

        Raises:
            TokenError: the payload is not of the form above.
        """
        try:
            user, project = payload["user"], payload["project"]
            roles, actor = payload["roles"], payload.get("act")
            if not isinstance(roles, list) or len(roles) > _MOST_ROLES:
                raise TokenError(f"Expected a list of {_MOST_ROLES} roles at most in the token.")
            claims = cls(
                cloud_name(payload["iss"]),
                cloud_name(payload["aud"]),
                _text(payload["jti"]),
                unix_time(payload["iat"]),
                unix_time(payload["exp"]),
                _text(payload["agreement"]),
                _named({"id": payload["sub"], **user}),
                _named(project),
                tuple(_text(role, 255) for role in roles),
                scopes.parse(json.dumps(payload["os_scope"])),
                _text(payload["home"], _LONGEST_SEALED) if "home" in payload else None,
                None if actor is None else cloud_name(actor["sub"]),
                _depth(payload.get("resold", 0)),
            )
        except (KeyError, TypeError, AttributeError, ScopeError):
            raise TokenError("The token's claims are not those of a federated token.") from None
        if wrong := claims.wrong_id():
            raise TokenError(f"The token's {wrong}.")
        return claims

    def wrong_id(self) -> str | None:
        """A description of the first id that has none of Keystone's forms (`core.id_forms`); None if all ids have one.

        A domain may also be the issuer itself: pseudonyms have no other.
        """
        for field, id_, fits, forms in (
            ("user.id", self.user.id, id_forms.is_user, id_forms.USERS),
            ("project.id", self.project.id, id_forms.is_project, id_forms.PROJECTS),
            ("user.domain.id", self.user.domain_id, self._is_domain, id_forms.DOMAINS),
            ("project.domain.id", self.project.domain_id, self._is_domain, id_forms.DOMAINS),
        ):
            if not fits(id_):
                return f"{field} is {id_!r}, expected {forms}"
        return None

    def _is_domain(self, text: str) -> bool:
        return text == self.issuer or id_forms.is_domain(text)

    def expired(self, now: float, skew: float) -> bool:
        """Whether the token has expired, with clocks that differ by at most `skew` seconds."""
        return now >= self.expires + skew

    def early(self, now: float, skew: float) -> bool:
        """Whether the token is not valid yet."""
        return now < self.issued - skew


def _domain(named: Named) -> dict[str, str]:
    return {"id": named.domain_id, "name": named.domain_name}


def _named(entry: Mapping[str, Any]) -> Named:
    domain = entry["domain"]
    return Named(_text(entry["id"]), _text(entry["name"], 255), _text(domain["id"]), _text(domain["name"], 255))


def _text(value: object, longest: int = _ID_LENGTH) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise TokenError("The token's claims are not those of a federated token.")
    return value


def _depth(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_RESOLD:
        raise TokenError(f"Expected a region that was resold {MOST_RESOLD} times at most.")
    return value


def cloud_name(value: object) -> str:
    """A claim that names a cloud.

    Raises:
        TokenError: it does not.
    """
    if not isinstance(value, str) or not is_name(value):
        raise TokenError("The token's clouds are no names of clouds.")
    return value


def unix_time(value: object) -> int:
    """A claim that is a time, in Unix seconds.

    Raises:
        TokenError: it is not.
    """
    # True is an int as well; times after the year 9999 are invalid.
    if type(value) is not int or not 0 <= value < 253402300800:  # noqa: PLR2004
        raise TokenError("The token's times are no times.")
    return value
