"""A federated token of CloudOne's for CloudTwo, its keys and its claims, and whatever else can be signed."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from openstackoid.core import scope as scopes
from openstackoid.core.errors import TokenError
from openstackoid.trust import tokens
from openstackoid.trust.claims import Claims, Named
from openstackoid.trust.keys import Keys, fresh_keys
from openstackoid.trust.packing import pack
from openstackoid.trust.rings import Ring
from openstackoid.trust.sealing import seal

NOW = 1_900_000_000
SKEW = 30
KEYS = fresh_keys(NOW - 1000)
OTHER = fresh_keys(NOW - 1000)
PUBLIC = Ring(KEYS.published(NOW), KEYS.fingerprint).keys
FERNET = "gAAAAAsecret" + "x" * 237 + "w"  # as long as Keystone's, and base64
ALICE = Named("a" * 32, "alice", "default", "Default")
DEMO = Named("d" * 32, "demo", "default", "Default")
SCOPE = '{"*": "CloudOne", "identity": "CloudOne", "compute": "CloudTwo", "image": "CloudTwo", "network": "CloudThree"}'


def claims(**changed: Any) -> Claims:
    given_ = Claims(
        *("CloudOne", "CloudTwo", "jti-1", NOW, NOW + 300, "0" * 32, ALICE, DEMO),
        ("member", "reader", "load-balancer_member", "heat_stack_owner", "creator"),
        scopes.parse(SCOPE),
        seal(FERNET, KEYS, NOW),
    )
    return replace(given_, **changed)


TOKEN = tokens.sign(claims(), KEYS)


def encoded(data: bytes | object) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def packed(payload: bytes | object) -> bytes:
    """Claims, or any text in their place, as they stand in a token."""
    return pack(payload if isinstance(payload, bytes) else json.dumps(payload).encode())


def signed(header: bytes | object, payload: bytes | object, keys: Keys = KEYS) -> str:
    """Whatever is given in the place of claims, with a good signature."""
    return stamped(header, packed(payload), keys)


def stamped(header: bytes | object, payload: bytes, keys: Keys = KEYS) -> str:
    """Whatever bytes are given in the place of a payload, with a good signature."""
    text = f"{encoded(header)}.{encoded(payload)}"
    signature = keys.signer(NOW).key.raw_value.sign(text.encode())
    return f"{text}.{encoded(signature)}"


HEADER = json.loads(decoded(TOKEN.split(".")[0]))
PAYLOAD = claims().to_json()


def refused(token: str, said: str = "") -> None:
    with pytest.raises(TokenError) as caught:
        tokens.verify(token, PUBLIC)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300
