"""A peer's public keys: those of its published keys that descend from the key that an operator trusted. Pure.

Published at `/.well-known/openstackoid`: `{"keys": {JWK set, RFC 7517}, "endorsements": [JWS, ...]}`. An endorsement is a public key
(JWK) signed by the key before it, which stands in its header `jwk`; `keys` tells how they come to be.
"""

import json
import re
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

# RFC 9864 names the curve; the older name, EdDSA, is deprecated there.
ALGORITHM: Final = "Ed25519"
ENDORSEMENT: Final = "openstackoid-key+jws"
MOST_KEYS: Final = 16
MOST_ENDORSEMENTS: Final = 128  # a rotation a month for ten years; an operator who pinned an older key must pin again


class Ring:
    """A peer's public keys that descend from the pinned fingerprint.

    Attributes:
        keys: kid -> public key.
    """

    def __init__(self, document: object, fingerprint: str) -> None:
        """Follow the chain from the pinned key to the published keys.

        Args:
            document: with `keys` and `endorsements`, as `Keys.published` returns it; untrusted, since it comes from the wire.
            fingerprint: of a key that the operator trusts.

        Raises:
            ValueError: it is not of that form, or no published key descends from the pinned one.
        """
        keys = _jwks(document)
        trusted = {fingerprint}
        endorsements = document.get("endorsements", []) if isinstance(document, dict) else []
        if not isinstance(endorsements, list) or len(endorsements) > MOST_ENDORSEMENTS:
            raise ValueError(f"expected {MOST_ENDORSEMENTS} endorsements at most")
        for text in endorsements:  # oldest first: one pass follows the chain
            pair = _endorsed(text)
            if pair and pair[0] in trusted:
                trusted.add(pair[1])
        self.keys: dict[str, Any] = {kid: key for kid, key in keys.items() if kid in trusted}
        if not self.keys:
            shown = ", ".join(keys) or "none"
            raise ValueError(
                f"no key there has the agreed fingerprint {fingerprint} or was endorsed by it; there: {shown}"
            )


def first_fingerprint(document: object) -> str:
    """The fingerprint of a peer's signing key, which is not trusted yet.

    Raises:
        ValueError: the document shows no keys.
    """
    keys = _jwks(document)
    if not keys:
        raise ValueError("expected keys: is the gateway there configured for federated peers (trust.keys)?")
    return next(iter(keys))


def _jwks(document: object) -> dict[str, Any]:
    keys = document.get("keys") if isinstance(document, dict) else None
    entries = keys.get("keys") if isinstance(keys, dict) else None
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise ValueError(f"expected a JWK set of {MOST_KEYS} keys at most at keys")
    return {key.thumbprint(): key for key in map(_key, entries) if key is not None}


def _key(entry: object) -> OKPKey | None:
    """A public Ed25519 key; None for kinds that a later version may publish beside it."""
    if not isinstance(entry, dict) or entry.get("crv") != ALGORITHM or not isinstance(entry.get("x"), str):
        return None
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", entry["x"]):
        return None
    try:
        key = OKPKey.import_key({"kty": "OKP", "crv": ALGORITHM, "x": entry["x"]})
        key.public_key  # noqa: B018 - built here, not at the first token
    except (ValueError, JoseError):
        return None
    return key


def _endorsed(text: object) -> tuple[str, str] | None:
    """(thumbprint of the endorsing key, of the endorsed key), or None if the signature is invalid."""
    if not isinstance(text, str) or len(text) > 2048:  # noqa: PLR2004 - two keys and a signature have 500
        return None
    try:
        statement = jws.extract_compact(text.encode())
        headers = statement.headers()
        key = _key(headers.get("jwk"))
        if key is None or headers.get("typ") != ENDORSEMENT:
            return None
        payload = jws.deserialize_compact(text, key, algorithms=[ALGORITHM]).payload
        fresh = _key(json.loads(payload))
    except (ValueError, JoseError, RecursionError):
        return None
    return (key.thumbprint(), fresh.thumbprint()) if fresh else None


def public(key: OKPKey) -> dict[str, Any]:
    """A key's public half as a JWK with its thumbprint."""
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM}
