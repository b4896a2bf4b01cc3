"""Federated tokens: the identity of a user for another cloud, signed by the home cloud, valid for a few minutes. Pure but for the random ids.

A JWS (RFC 7515) whose payload are claims as a JWT (RFC 7519) has them (`claims`), compressed (`packing`).

Two more objects are signed: an **assertion**, by which a gateway authenticates its cloud (RFC 7523), and the **inner mark**, by
which gateways of one cloud recognise tokens that they have admitted: their services pass the mark on, and nobody else can make it.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from openstackoid.core.errors import TokenError, TokenLongError
from openstackoid.trust import base64url
from openstackoid.trust.claims import Claims, cloud_name, unix_time
from openstackoid.trust.keys import Keys
from openstackoid.trust.packing import pack, unpack
from openstackoid.trust.rings import ALGORITHM
from openstackoid.trust.signatures import read_object

TYPE: Final = "openstackoid+jws"
ASSERTION: Final = "openstackoid-gateway+jwt"
# uWSGI refuses heads over 4 KiB by default, and a request holds other headers and a service token.
LONGEST: Final = 3072
LONGEST_LIFE: Final = 3600 + 60  # seconds: the longest lifetime that any cloud accepts
MARK: Final = "~"  # a character of neither base64url nor JWS
_MARK_LENGTH: Final = 22  # characters: 132 bits


def sign(claims: Claims, keys: Keys) -> str:
    """A federated token.

    Raises:
        TokenLongError: it would be too long; the message says what takes the place.
    """
    payload = claims.to_json()
    token = _signed(pack(_text(payload)), TYPE, keys.signer(claims.issued))
    if len(token) > LONGEST:
        names = ("roles", "os_scope", "home", "project", "user")
        parts = {name: len(pack(_text(payload[name]))) for name in names if name in payload}
        largest = max(parts, key=lambda name: parts[name])
        what = {"os_scope": "the scope", "home": "the user's own token"}.get(largest, largest)
        raise TokenLongError(
            f"The federated token would have {len(token)} characters, and services read {LONGEST} at most; most of it "
            f"is {what}."
        )
    return token


def is_federated(token: str) -> bool:
    """Whether a token claims to be a federated one: a JWS of our type, marked or not."""
    return token.startswith("eyJ") and _header(token).get("typ") == TYPE


def issuer(token: str) -> tuple[str, str]:
    """(issuer, audience) of an unverified token: to choose the keys to try.

    Raises:
        TokenError: the claims cannot be read.
    """
    payload = token.split(".", 2)[1] if token.count(".") == 2 and len(token) <= LONGEST else ""  # noqa: PLR2004
    try:
        claims = _claims(base64url.decode(payload) or b"", _header(token)["typ"])
        return cloud_name(claims["iss"]), cloud_name(claims["aud"])
    except (KeyError, ValueError):
        raise TokenError("The token is not a whole federated token.") from None


def key_id(token: str) -> str:
    """The `kid` in the header of an unverified token; empty if there is none."""
    return str(_header(token).get("kid", ""))


def verify(token: str, keys: Mapping[str, Any]) -> Claims:
    """Check form and signature; time, audience and agreement are the caller's to check, at each use.

    Args:
        token: without a mark.
        keys: kid -> public key of the cloud that it names as its issuer.

    Raises:
        TokenError: none of these keys signed the token.
    """
    claims = Claims.from_json(_verified(token, TYPE, keys))
    if not 0 < claims.expires - claims.issued <= LONGEST_LIFE:
        raise TokenError(
            f"The token would live {claims.expires - claims.issued} s; {LONGEST_LIFE} are believed at most."
        )
    return claims


def assertion(cloud: str, audience: str, keys: Keys, now: int, lifetime: int) -> str:
    """The assertion that authenticates this cloud's gateway to a peer's (RFC 7523, 3)."""
    payload = {"iss": cloud, "sub": cloud, "aud": audience, "iat": now, "exp": now + lifetime, "jti": new_id()}
    return _signed(_text(payload), ASSERTION, keys.signer(now))


def asserted(text: str, keys: Callable[[str], Mapping[str, Any]], audience: str, now: float, skew: float) -> str:
    """Verify an assertion; returns the cloud whose gateway sent it.

    Args:
        text: the assertion.
        keys: cloud -> its public keys (kid -> key); raises TokenError for a cloud that is no peer.
        audience: this cloud.
        now: Unix seconds.
        skew: seconds by which clocks may differ.

    Raises:
        TokenError: the assertion is invalid, expired, or for another cloud.
    """
    cloud, meant = issuer(text)
    payload = _verified(text, ASSERTION, keys(cloud))
    begins, ends = unix_time(payload.get("iat")), unix_time(payload.get("exp"))
    if meant != audience:
        raise TokenError(f"The assertion of {cloud} is for another cloud than {audience}.")
    if not begins - skew <= now < ends + skew or ends - begins > LONGEST_LIFE:
        raise TokenError(f"The assertion of {cloud} is not of this time: compare the clocks.")
    return cloud


def marked(token: str, keys: Keys) -> str:
    """A token with the inner mark, as this cloud's own services get it."""
    return f"{token}{MARK}{_mark(token, keys)}"


def unmarked(token: str, keys: Keys) -> tuple[str, bool]:
    """(the token, whether a gateway of this cloud marked it). A wrong mark counts as no mark."""
    plain, separator, mark = token.partition(MARK)
    # Bytes of a header that are not UTF-8 are surrogates here.
    return plain, bool(separator) and hmac.compare_digest(mark.encode("utf-8", "replace"), _mark(plain, keys).encode())


def pseudonym(user: str, audience: str, keys: Keys) -> str:
    """A user's pseudonym for one peer: 32 hex digits, like Keystone's ids; stable, and different for each peer."""
    return hmac.new(keys.pseudonyms, f"{audience}\0{user}".encode(), hashlib.sha256).hexdigest()[:32]


def project_pseudonym(project: str, audience: str, keys: Keys) -> str:
    """The same for a project; never a user's pseudonym, also if the two have one id."""
    return pseudonym(f"project {project}", audience, keys)


def local_user(party: str, user: str) -> str:
    """The id of another cloud's user where the user's requests go: 32 hex digits, like Keystone's ids.

    Args:
        party: as in `Agreement.party`.
        user: the id, or the pseudonym, in the user's token.
    """
    return hashlib.sha256(f"{party}\0{user}".encode()).hexdigest()[:32]


def new_id() -> str:
    """An id for a token: 96 random bits."""
    return secrets.token_urlsafe(12)


def _mark(token: str, keys: Keys) -> str:
    digest = hmac.new(keys.inner, token.encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64url.encode(digest)[:_MARK_LENGTH]


def _signed(payload: bytes, kind: str, signer: Any) -> str:
    header = {"typ": kind, "alg": ALGORITHM, "kid": signer.kid}
    return jws.serialize_compact(header, payload, signer.key, algorithms=[ALGORITHM])


def _verified(token: str, kind: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    if len(token) > LONGEST:
        raise TokenError(f"Expected a token of {LONGEST} characters at most.")
    header = _header(token)
    key = keys.get(str(header.get("kid")))
    # We fix the algorithm, never the token; other header parameters are not supported (RFC 7515, 4.1.11).
    if header.keys() != {"typ", "alg", "kid"} or header["typ"] != kind or header["alg"] != ALGORITHM:
        raise TokenError("The token is not signed as federated tokens are.")
    if key is None:
        raise TokenError("The token is signed with a key that its cloud does not publish.")
    # Only one spelling of these bytes was signed.
    if not all(map(base64url.is_canonical, token.split("."))):
        raise TokenError("The token is not spelled as it was signed.")
    try:
        return _claims(jws.deserialize_compact(token, key, algorithms=[ALGORITHM]).payload, kind)
    except (JoseError, ValueError):
        raise TokenError("The token's signature is not good.") from None


def _header(token: str) -> dict[str, Any]:
    try:
        return read_object(base64url.decode(token[:512].partition(".")[0]) or b"")
    except ValueError:
        return {}


def _text(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _claims(payload: bytes, kind: str) -> dict[str, Any]:
    return read_object(unpack(payload) if kind == TYPE else payload)
