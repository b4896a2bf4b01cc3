"""Federated tokens: who of which cloud may ask another one, signed by home, for a few minutes. Pure but for the random ids.

A JWS (RFC 7515) whose payload is a JWT (RFC 7519):

    {"iss": "CloudOne", "aud": "CloudTwo", "sub": USER_ID, "iat": 0, "nbf": 0, "exp": 0, "jti": ID,
     "user": {"name", "domain": {"id", "name"}}, "project": {"id", "name", "domain": {...}}, "roles": [...],
     "os_scope": {"*": "CloudOne", "image": "CloudTwo"}, "agreement": ID, "home": JWE, "act": {"sub": "CloudThree"}}

`home` is the user's own token, sealed (JWE, RFC 7516) with a key that only home has: to everybody else it is noise. `act`
(RFC 8693, 4.1) is the cloud that had this token issued for a third one.

Two more things are signed: an **assertion**, by which a gateway shows which cloud it is of (RFC 7523), and the **inner mark**, by
which gateways of one cloud know tokens that they have let in: their services pass them on with it, and nobody else can write it.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwe, jws
from joserfc.errors import JoseError

from openstackoid.core import scope as scopes
from openstackoid.core.errors import ScopeError, TokenError, TokenLongError
from openstackoid.core.scope import Scope, is_name
from openstackoid.trust.keys import Keys
from openstackoid.trust.rings import ALGORITHM

TYPE: Final = "openstackoid+jwt"
ASSERTION: Final = "openstackoid-gateway+jwt"
# uWSGI refuses heads over 4 KiB by default, and a request holds other headers and a service token.
LONGEST: Final = 3072
LONGEST_LIFE: Final = 3600 + 60  # seconds: what any cloud may ask others to believe
MARK: Final = "~"  # in no base64url and no JWS
_MARK_LENGTH: Final = 22  # characters: 132 bits
_MOST_ROLES: Final = 64
_ID_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Named:
    """A user or a project with its domain, by id and name."""

    id: str
    name: str
    domain_id: str
    domain_name: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a federated token says. Times are Unix seconds."""

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
    sealed: str
    actor: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The payload."""
        payload = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": self.user.id,
            "iat": self.issued,
            "nbf": self.issued,
            "exp": self.expires,
            "jti": self.id,
            "user": {"name": self.user.name, "domain": _domain(self.user)},
            "project": {"id": self.project.id, "name": self.project.name, "domain": _domain(self.project)},
            "roles": list(self.roles),
            "os_scope": {kind: str(expression) for kind, expression in self.scope.entries},
            "agreement": self.agreement,
            "home": self.sealed,
        }
        return payload | ({"act": {"sub": self.actor}} if self.actor else {})

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> "Claims":
        """Read a payload whose signature is good.

        Raises:
            TokenError: it is not of the form above.
        """
        try:
            user, project = payload["user"], payload["project"]
            roles, actor = payload["roles"], payload.get("act")
            if not isinstance(roles, list) or len(roles) > _MOST_ROLES:
                raise TokenError(f"Expected a list of {_MOST_ROLES} roles at most in the token.")
            return cls(
                _cloud(payload["iss"]),
                _cloud(payload["aud"]),
                _text(payload["jti"]),
                _time(payload["iat"]),
                _time(payload["exp"]),
                _text(payload["agreement"]),
                _named({"id": payload["sub"], **user}),
                _named(project),
                tuple(_text(role, 255) for role in roles),
                scopes.parse(json.dumps(payload["os_scope"])),
                _text(payload["home"], LONGEST),
                None if actor is None else _cloud(actor["sub"]),
            )
        except (KeyError, TypeError, AttributeError, ScopeError):
            raise TokenError("The token's claims are not those of a federated token.") from None

    def expired(self, now: float, skew: float) -> bool:
        """Whether its time is over, clocks being apart by `skew` seconds at most."""
        return now >= self.expires + skew

    def early(self, now: float, skew: float) -> bool:
        """Whether its time has not come."""
        return now < self.issued - skew


def sign(claims: Claims, keys: Keys) -> str:
    """A federated token.

    Raises:
        TokenLongError: it would be too long; the message says what takes the place.
    """
    payload = claims.to_json()
    signer = keys.signer(claims.issued)
    token = _signed(payload, TYPE, signer)
    if len(token) > LONGEST:
        parts = {name: len(json.dumps(payload[name])) for name in ("roles", "os_scope", "home", "project", "user")}
        largest = max(parts, key=lambda name: parts[name])
        what = {"os_scope": "the scope", "home": "the user's own token"}.get(largest, largest)
        raise TokenLongError(
            f"The federated token would have {len(token)} characters, and services read {LONGEST} at most; most of it "
            f"({parts[largest]}) is {what}."
        )
    return token


def is_federated(token: str) -> bool:
    """Whether a token claims to be a federated one: a JWS of our type, marked or not."""
    return token.startswith("eyJ") and _header(token).get("typ") == TYPE


def issuer(token: str) -> tuple[str, str]:
    """(issuer, audience) of a token that nobody has verified: to know whose key to try.

    Raises:
        TokenError: no such thing can be read.
    """
    payload = _object(token.split(".", 2)[1] if token.count(".") == 2 and len(token) <= LONGEST else "")  # noqa: PLR2004
    try:
        return _cloud(payload["iss"]), _cloud(payload["aud"])
    except KeyError:
        raise TokenError("The token is not a whole federated token.") from None


def verify(token: str, keys: Mapping[str, Any]) -> Claims:
    """Check form and signature; time, audience and agreement are the caller's to check, at each use.

    Args:
        token: without a mark.
        keys: kid -> public key of the cloud that it names as its issuer.

    Raises:
        TokenError: it was not signed by one of these keys, as it stands.
    """
    claims = Claims.from_json(_verified(token, TYPE, keys))
    if not 0 < claims.expires - claims.issued <= LONGEST_LIFE:
        raise TokenError(
            f"The token would live {claims.expires - claims.issued} s; {LONGEST_LIFE} are believed at most."
        )
    return claims


def seal(text: str, keys: Keys, now: float) -> str:
    """A user's own token for ourselves alone: JWE with A256GCM."""
    sealer = keys.sealer(now)
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM", "kid": sealer.kid}, text.encode(), sealer.key)


def unseal(sealed: str, keys: Keys) -> str:
    """The user's own token back.

    Raises:
        TokenError: it was not sealed by one of these keys.
    """
    kid = _header(sealed).get("kid")
    for each in keys.sealing:
        if each.kid == kid:
            try:
                plain = jwe.decrypt_compact(sealed, each.key, algorithms=["dir", "A256GCM"]).plaintext
            except (JoseError, ValueError):
                break
            return plain.decode() if plain else ""
    raise TokenError("The token holds nothing that its home cloud could open.")


def assertion(cloud: str, audience: str, keys: Keys, now: int, lifetime: int) -> str:
    """What shows a peer's gateway that it is this cloud's that asks (RFC 7523, 3)."""
    payload = {"iss": cloud, "sub": cloud, "aud": audience, "iat": now, "exp": now + lifetime, "jti": new_id()}
    return _signed(payload, ASSERTION, keys.signer(now))


def asserted(text: str, keys: Callable[[str], Mapping[str, Any]], audience: str, now: float, skew: float) -> str:
    """The cloud whose gateway asks.

    Args:
        text: the assertion.
        keys: cloud -> its public keys (kid -> key); raises TokenError for a cloud that is no peer.
        audience: this cloud.
        now: Unix seconds.
        skew: seconds by which clocks may differ.

    Raises:
        TokenError: it is not good here and now.
    """
    cloud, meant = issuer(text)
    payload = _verified(text, ASSERTION, keys(cloud))
    begins, ends = _time(payload.get("iat")), _time(payload.get("exp"))
    if meant != audience:
        raise TokenError(f"The assertion of {cloud} is for another cloud than {audience}.")
    if not begins - skew <= now < ends + skew or ends - begins > LONGEST_LIFE:
        raise TokenError(f"The assertion of {cloud} is not of this time: compare the clocks.")
    return cloud


def marked(token: str, keys: Keys) -> str:
    """A token as this cloud's own services get it."""
    return f"{token}{MARK}{_mark(token, keys)}"


def unmarked(token: str, keys: Keys) -> tuple[str, bool]:
    """(the token, whether a gateway of this cloud marked it). A wrong mark counts as none."""
    plain, found, mark = token.partition(MARK)
    # What a header held beside UTF-8 stands here as surrogates.
    return plain, bool(found) and hmac.compare_digest(mark.encode("utf-8", "replace"), _mark(plain, keys).encode())


def pseudonym(user: str, audience: str, keys: Keys) -> str:
    """Who a user is to one peer: 32 hex digits, as Keystone's ids; the same each time, and another for each peer."""
    return hmac.new(keys.pseudonyms, f"{audience}\0{user}".encode(), hashlib.sha256).hexdigest()[:32]


def new_id() -> str:
    """An id for a token: 96 random bits."""
    return secrets.token_urlsafe(12)


def _mark(token: str, keys: Keys) -> str:
    digest = hmac.new(keys.inner, token.encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_MARK_LENGTH]


def _signed(payload: Mapping[str, Any], kind: str, signer: Any) -> str:
    header = {"typ": kind, "alg": ALGORITHM, "kid": signer.kid}
    text = json.dumps(payload, separators=(",", ":")).encode()
    return jws.serialize_compact(header, text, signer.key, algorithms=[ALGORITHM])


def _verified(token: str, kind: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    if len(token) > LONGEST:
        raise TokenError(f"Expected a token of {LONGEST} characters at most.")
    header = _header(token)
    key = keys.get(str(header.get("kid")))
    # The algorithm is ours to say, never the token's; what else a header may ask for is not understood here (RFC 7515, 4.1.11).
    if header.keys() != {"typ", "alg", "kid"} or header["typ"] != kind or header["alg"] != ALGORITHM:
        raise TokenError("The token is not signed as federated tokens are.")
    if key is None:
        raise TokenError("The token is signed with a key that its cloud does not publish.")
    # base64url has several spellings of the same bytes: only one of them was signed.
    if not all(map(_canonical, token.split("."))):
        raise TokenError("The token is not spelled as it was signed.")
    try:
        payload = json.loads(
            jws.deserialize_compact(token, key, algorithms=[ALGORITHM]).payload, object_pairs_hook=_once
        )
    except (JoseError, ValueError, RecursionError):
        raise TokenError("The token's signature is not good.") from None
    if not isinstance(payload, dict):
        raise TokenError("The token's payload is not an object.")
    return payload


def _canonical(segment: str) -> bool:
    raw = _decoded(segment)
    return raw is not None and base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == segment


def _decoded(segment: str) -> bytes | None:
    try:
        return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _header(token: str) -> dict[str, Any]:
    return _object(token[:512].partition(".")[0])


def _object(segment: str) -> dict[str, Any]:
    try:
        found = json.loads(_decoded(segment) or b"", object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name stands twice: two readers could take two different ones (RFC 7515, 4; RFC 7519, 4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("expected each name once")
    return found


def _domain(named: Named) -> dict[str, str]:
    return {"id": named.domain_id, "name": named.domain_name}


def _named(entry: Mapping[str, Any]) -> Named:
    domain = entry["domain"]
    return Named(_text(entry["id"]), _text(entry["name"], 255), _text(domain["id"]), _text(domain["name"], 255))


def _text(value: object, longest: int = _ID_LENGTH) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise TokenError("The token's claims are not those of a federated token.")
    return value


def _cloud(value: object) -> str:
    if not isinstance(value, str) or not is_name(value):
        raise TokenError("The token's clouds are no names of clouds.")
    return value


def _time(value: object) -> int:
    # True is an int as well; times beyond the year 9999 are nobody's.
    if type(value) is not int or not 0 <= value < 253402300800:  # noqa: PLR2004
        raise TokenError("The token's times are no times.")
    return value
