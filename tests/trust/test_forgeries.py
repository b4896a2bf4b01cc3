"""Forged federated tokens: nobody but their home can make or change one."""

import json
import random
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey
from tests.trust.signing import (
    HEADER,
    KEYS,
    NOW,
    OTHER,
    PAYLOAD,
    PUBLIC,
    SKEW,
    TOKEN,
    claims,
    decoded,
    encoded,
    packed,
    refused,
    signed,
    stamped,
)
from tests.volume import volume

from openstackoid.core.errors import TokenError
from openstackoid.trust import tokens
from openstackoid.trust.sealing import unseal

if TYPE_CHECKING:
    from collections.abc import Callable

public = KEYS.signing[0].key.raw_value.public_key()
RAW = public.public_bytes_raw()


@pytest.mark.parametrize(
    "token",
    [
        signed(HEADER, PAYLOAD, OTHER),
        signed(HEADER | {"kid": OTHER.fingerprint}, PAYLOAD, OTHER),
        signed(HEADER | {"kid": "x"}, PAYLOAD),
        signed(HEADER | {"kid": None}, PAYLOAD),
        signed(HEADER | {"kid": [KEYS.fingerprint]}, PAYLOAD),
        signed({"typ": HEADER["typ"], "alg": HEADER["alg"]}, PAYLOAD),
        signed(HEADER | {"typ": "JWT"}, PAYLOAD),
        signed(HEADER | {"typ": "application/openstackoid+jws"}, PAYLOAD),
        signed(HEADER | {"typ": tokens.ASSERTION}, PAYLOAD),
        *(signed(HEADER | {"alg": alg}, PAYLOAD) for alg in ("none", "None", "EdDSA", "Ed448", "HS256", "ES256", 1)),
        f"{encoded(HEADER | {'alg': 'none'})}.{encoded(packed(PAYLOAD))}.",
        f"{encoded(HEADER)}.{encoded(packed(PAYLOAD))}.",
        f"{encoded(HEADER)}.{encoded(packed(PAYLOAD))}.{encoded(b'0' * 64)}",
        *(
            jws.serialize_compact(HEADER | {"alg": "HS256"}, packed(PAYLOAD), key, algorithms=["HS256"])
            for key in (OctKey.import_key(RAW), OctKey.import_key(encoded(RAW)))
        ),
        *(
            signed(HEADER | more, PAYLOAD)
            for more in (
                {"crit": ["exp"]},
                {"crit": ["b64"], "b64": False},
                {"b64": False},
                {"jwk": KEYS.published(NOW)["keys"]["keys"][0]},
                {"jku": "https://thief.example/keys"},
                {"x5u": "https://thief.example/keys"},
                {"x5c": ["AAAA"]},
                {"zip": "DEF"},
                {"cty": "JWT"},
            )
        ),
        signed([HEADER], PAYLOAD),
        signed(b'{"typ":', PAYLOAD),
        signed(HEADER, [PAYLOAD]),
        signed(HEADER, b"[" * 1500),
        signed(b'{"a":' + b"[" * 370, PAYLOAD),
        signed(HEADER, b"\xff"),
        signed(HEADER, {}),
        "",
        ".",
        "..",
        "a.b.c",
        TOKEN + "." + TOKEN.split(".")[2],
    ],
)
def test_forgeries_are_refused(token: str) -> None:
    refused(token)


@pytest.mark.parametrize("name", ["iss", "typ-twice"])
def test_a_name_that_stands_twice_is_refused(name: str) -> None:
    """Two readers could take two different ones."""
    text, head = json.dumps(PAYLOAD), json.dumps(HEADER)
    if name == "iss":
        refused(signed(HEADER, ('{"iss": "CloudThree", ' + text[1:]).encode()))
        inner = json.dumps(PAYLOAD["user"])
        refused(signed(HEADER, text.replace(inner, '{"name": "bob", ' + inner[1:]).encode()))
    else:
        refused(signed(('{"alg": "none", ' + head[1:]).encode(), PAYLOAD))


@pytest.mark.parametrize(
    "changed",
    [
        *({name: None} for name in PAYLOAD),
        *({name: [{}]} for name in PAYLOAD),
        {"iss": "Cloud One"},
        {"aud": ["CloudTwo", "CloudThree"]},
        {"sub": "x" * 65},
        {"sub": "a\nb"},
        {"sub": "\ud800"},
        {"sub": ""},
        {"iat": True},
        {"iat": 1.5},
        {"exp": 10**30},
        {"exp": -1},
        {"exp": float("inf")},
        {"roles": ["x" * 256]},
        {"roles": ["member"] * 65},
        {"roles": "member"},
        {"roles": {"member": 1}},
        {"user": {"name": "a", "domain": "Default"}},
        {"project": {"id": "p", "name": "p"}},
        {"os_scope": {"image": 1}},
        {"os_scope": {"image": "\ud800"}},
        {"os_scope": {"no such": "CloudOne"}},
        {"act": "CloudThree"},
        {"act": {}},
        {"act": {"sub": "x y"}},
    ],
    ids=json.dumps,
)
def test_claims_of_another_form_are_refused_though_they_are_signed(changed: dict[str, Any]) -> None:
    refused(signed(HEADER, PAYLOAD | changed))
    for name in changed:
        if name not in {"act", "home"}:
            refused(signed(HEADER, {key: value for key, value in PAYLOAD.items() if key != name}))


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(PAYLOAD).encode(),
        zlib.compress(json.dumps(PAYLOAD).encode()),
        packed(PAYLOAD)[:-1],
        packed(PAYLOAD) + b"\0",
        packed(PAYLOAD) + packed(PAYLOAD),
        packed(PAYLOAD | {"more": " " * 32768}),
        b"",
    ],
    ids=["plain", "no dictionary", "cut", "stretched", "twice", "large", "empty"],
)
def test_claims_packed_otherwise_are_refused(payload: bytes) -> None:
    refused(stamped(HEADER, payload))
    with pytest.raises(TokenError):
        tokens.issuer(stamped(HEADER, payload))


def test_little_that_unpacks_to_much_is_never_unpacked() -> None:
    bomb = stamped(HEADER, zlib.compress(b" " * 1_500_000, 9, -zlib.MAX_WBITS))
    assert len(bomb) < tokens.LONGEST
    tracemalloc.start()
    try:
        refused(bomb)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_spelled_otherwise_is_refused() -> None:
    head, body, signature = TOKEN.split(".")
    # The last character of 64 bytes in base64 has four bits that mean nothing.
    twin = signature[:-1] + chr(ord(signature[-1]) + 1)
    assert decoded(twin) == decoded(signature)
    for token in (
        f"{head}.{body}.{twin}",
        f"{head}.{body}.{signature}==",
        f"{head}=.{body}.{signature}",
        *(TOKEN[:at] + blank + TOKEN[at:] for at in (0, 5, len(head), len(TOKEN)) for blank in " \n\t\r\0"),
        f"{head}.{body}.{signature.replace('-', '+').replace('_', '/')}" + "=",
        TOKEN + "\udcff",
        TOKEN.lower(),
    ):
        refused(token)


def test_cut_or_stretched_is_refused() -> None:
    for length in range(0, len(TOKEN), 7):
        refused(TOKEN[:length])
    refused(TOKEN + "A" * tokens.LONGEST)
    refused("A" * 1_000_000)


def test_ten_thousand_mutations_of_a_good_one_are_refused() -> None:
    chance = random.Random(7)
    good = {TOKEN, tokens.sign(claims(id="jti-2", roles=("admin",)), KEYS)}
    first, second = (token.split(".") for token in good)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=~ \0é"
    every = list(good)

    def flip(text: str, at: int) -> str:
        return text[:at] + chr(ord(text[at]) ^ (1 << chance.randrange(7))) + text[at + 1 :]

    def delete(text: str, at: int) -> str:
        return text[:at] + text[at + chance.randint(1, 4) :]

    def insert(text: str, at: int) -> str:
        return text[:at] + "".join(chance.choices(alphabet, k=chance.randint(1, 3))) + text[at:]

    def swap(text: str, at: int) -> str:
        other = chance.randrange(len(text))
        low, high = sorted((at, other))
        return text if low == high else text[:low] + text[high] + text[low + 1 : high] + text[low] + text[high + 1 :]

    def mixed(_text: str, _at: int) -> str:
        return ".".join(chance.choice(pair) for pair in zip(first, second, strict=True))

    ways: list[Callable[[str, int], str]] = [flip, delete, insert, swap, mixed]
    tried = 0
    while tried < 10_000:
        text = chance.choice(every)
        token = chance.choice(ways)(text, chance.randrange(len(text)))
        if token in good:
            continue
        tried += 1
        try:
            tokens.verify(token, PUBLIC)
        except TokenError:
            continue
        raise AssertionError(token)


_TEXT = st.text(st.characters(exclude_categories=[]), max_size=200)


@settings(max_examples=volume(500), deadline=None)
@given(_TEXT | st.lists(_TEXT | _TEXT.map(encoded), min_size=3, max_size=3).map(".".join))
@example("x~\udcff")
@example("eyJ0eXAiOiJvcGVuc3RhY2tvaWQrand0In0.\udcff.")
def test_any_text_is_a_token_error_and_nothing_else(text: str) -> None:
    for read in (
        lambda: tokens.verify(text, PUBLIC),
        lambda: tokens.issuer(text),
        lambda: unseal(text, KEYS),
        lambda: tokens.asserted(text, lambda _: PUBLIC, "CloudTwo", NOW, SKEW),
    ):
        with pytest.raises(TokenError):
            read()
    assert not tokens.is_federated(text) or text.startswith("eyJ")
    assert not tokens.unmarked(text, KEYS)[1]
