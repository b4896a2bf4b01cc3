"""Encryption of users' own tokens for their home cloud alone: AES-256-GCM with a random nonce of 96 bits (NIST SP 800-38D). Pure but for the nonce.

A sealed token is base64url of NONCE (12 bytes), ciphertext, TAG (16 bytes). It does not name its key: every key is tried, and the tag shows which one
is right.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from openstackoid.core.errors import TokenError
from openstackoid.trust import base64url
from openstackoid.trust.keys import Keys

_NONCE: Final = 12  # bytes
# A Fernet token is base64url of bytes, and the first is its version; no text in UTF-8 begins with that one.
_FERNET: Final = b"\x80"


def seal(token: str, keys: Keys, now: float) -> str:
    """Encrypt a user's own token for this cloud alone.

    Args:
        token: of our Keystone.
        keys: this cloud's.
        now: Unix seconds.
    """
    raw = base64url.decode(token) or b""
    # Encoding it twice would make it a third longer.
    plain = raw if raw.startswith(_FERNET) and base64url.is_canonical(token) else token.encode()
    nonce = os.urandom(_NONCE)
    return base64url.encode(nonce + AESGCM(keys.sealer(now).key.raw_value).encrypt(nonce, plain, None))


def unseal(sealed: str | None, keys: Keys) -> str:
    """Decrypt the user's own token.

    Raises:
        TokenError: there is none, it was not sealed by one of these keys, or was changed since.
    """
    if sealed is None:
        raise TokenError("The token was made for its audience alone: its user's own is not in it.")
    data = base64url.decode(sealed) or b""
    nonce, rest = data[:_NONCE], data[_NONCE:]
    for key in reversed(keys.sealing):
        try:
            plain = AESGCM(key.key.raw_value).decrypt(nonce, rest, None)
        except (InvalidTag, ValueError):
            continue
        return base64url.encode(plain) if plain.startswith(_FERNET) else plain.decode()
    raise TokenError("The token holds nothing that its home cloud could open.")
