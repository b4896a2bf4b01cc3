"""Signed JSON documents (JWS, RFC 7515) that one cloud sends to another: one algorithm, one spelling, no name twice. Pure.

    sign(document, kind, key)  ->  text  ->  verify(text, kind, keys, longest)  ->  document

The header holds `typ`, `alg` and `kid` and nothing else: the reader fixes the algorithm, never the text, and a text of one `kind` is never
accepted as another kind.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from openstackoid.core.errors import TrustError
from openstackoid.trust import base64url
from openstackoid.trust.keys import Timed
from openstackoid.trust.rings import ALGORITHM

_LONGEST_HEADER: Final = 512  # characters
_PARTS: Final = 3


class SignatureError(TrustError):
    """A document without a valid signature of its claimed sender."""

    status = 401
    code = "signature.invalid"


def sign(document: Mapping[str, Any], kind: str, signer: Timed) -> str:
    """A signed document.

    Args:
        document: JSON object.
        kind: media type without `application/`, for `typ`.
        signer: private Ed25519 key.
    """
    header = {"typ": kind, "alg": ALGORITHM, "kid": signer.kid}
    payload = json.dumps(document, separators=(",", ":")).encode()
    return jws.serialize_compact(header, payload, signer.key, algorithms=[ALGORITHM])


def unverified(text: str, kind: str, longest: int) -> dict[str, Any]:
    """The document of an unverified text: to choose the keys to try.

    Raises:
        SignatureError: the text has another form, kind or size.
    """
    parts = text.split(".", _PARTS) if len(text) <= longest else []
    if len(parts) != _PARTS or _header(text).get("typ") != kind:
        raise SignatureError(f"Expected a JWS of type {kind} with {longest} characters at most.")
    try:
        return read_object(base64url.decode(parts[1]) or b"")
    except ValueError as error:
        raise SignatureError(f"The {kind} holds no JSON object: {error}.") from None


def verify(text: str, kind: str, keys: Mapping[str, Any], longest: int) -> dict[str, Any]:
    """The document of a text, after verifying its signature.

    Args:
        text: a compact JWS.
        kind: the `typ` that it must have.
        keys: kid -> public key of the expected signer.
        longest: characters.

    Raises:
        SignatureError: none of these keys signed the text.
    """
    document = unverified(text, kind, longest)
    header = _header(text)
    if header.keys() != {"typ", "alg", "kid"} or header["alg"] != ALGORITHM:
        raise SignatureError(f"Expected typ, alg and kid in the header, and {ALGORITHM} as its alg.")
    key = keys.get(str(header["kid"]))
    if key is None:
        raise SignatureError("It is signed with a key that its cloud does not publish.")
    # Only one spelling of these bytes was signed.
    if not all(map(base64url.is_canonical, text.split("."))):
        raise SignatureError("It is not spelled as it was signed.")
    try:
        jws.deserialize_compact(text, key, algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        raise SignatureError("Its signature is not good.") from None
    return document


def read_object(text: bytes) -> dict[str, Any]:
    """A JSON object in which no name stands twice: two readers could take two different ones (RFC 7515, 4; RFC 7519, 4).

    Raises:
        ValueError: it is something else.
    """
    try:
        parsed = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("expected less depth") from None
    if not isinstance(parsed, dict):
        raise ValueError("expected an object")  # noqa: TRY004 - one error for one caller
    return parsed


def _header(text: str) -> dict[str, Any]:
    try:
        return read_object(base64url.decode(text[:_LONGEST_HEADER].partition(".")[0]) or b"")
    except ValueError:
        return {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("expected each name once")
    return values


def _no_constant(name: str) -> Any:
    raise ValueError(f"expected a number, got {name}")
