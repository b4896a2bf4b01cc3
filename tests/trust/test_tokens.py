"""Federated tokens: what they hold, and that nobody but their home can make, change or open one."""

import base64
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from openstackoid.core import scope as scopes
from openstackoid.core.errors import TokenError, TokenLongError
from openstackoid.trust import tokens
from openstackoid.trust.keys import Keys, fresh_keys
from openstackoid.trust.rings import Ring
from openstackoid.trust.tokens import Claims, Named

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_900_000_000
SKEW = 30
KEYS = fresh_keys(NOW - 1000)
OTHER = fresh_keys(NOW - 1000)
PUBLIC = Ring(KEYS.published(NOW), KEYS.fingerprint).keys
FERNET = "gAAAAAsecret" + "x" * 238  # as long as Keystone's
ALICE = Named("a" * 32, "alice", "default", "Default")
DEMO = Named("d" * 32, "demo", "default", "Default")
SCOPE = '{"*": "CloudOne", "identity": "CloudOne", "compute": "CloudTwo", "image": "CloudTwo", "network": "CloudThree"}'


def claims(**changed: Any) -> Claims:
    given_ = Claims(
        *("CloudOne", "CloudTwo", "jti-1", NOW, NOW + 300, "0" * 32, ALICE, DEMO),
        ("member", "reader", "load-balancer_member", "heat_stack_owner", "creator"),
        scopes.parse(SCOPE),
        tokens.seal(FERNET, KEYS, NOW),
    )
    return replace(given_, **changed)


TOKEN = tokens.sign(claims(), KEYS)


def encoded(data: bytes | object) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def signed(header: bytes | object, payload: bytes | object, keys: Keys = KEYS) -> str:
    """Whatever is given, with a good signature."""
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


def test_what_is_signed_is_read_again() -> None:
    assert tokens.verify(TOKEN, PUBLIC) == claims(sealed=json.loads(decoded(TOKEN.split(".")[1]))["home"])
    acting = claims(actor="CloudThree")
    assert tokens.verify(tokens.sign(acting, KEYS), PUBLIC) == acting
    assert tokens.is_federated(TOKEN)
    assert tokens.is_federated(tokens.marked(TOKEN, KEYS))
    assert tokens.issuer(TOKEN) == ("CloudOne", "CloudTwo")
    assert {"typ": "openstackoid+jwt", "alg": "Ed25519", "kid": KEYS.fingerprint} == HEADER


def test_a_usual_token_is_short_enough() -> None:
    assert len(FERNET) == 250
    assert len(claims().roles) == len(claims().scope.entries) == 5
    assert len(TOKEN) < tokens.LONGEST == 3072
    # With its mark and a scope of the user's beside it, the header stays below uWSGI's 4 KiB for a whole head.
    assert len(tokens.marked(TOKEN, KEYS)) + len(SCOPE) < 3072


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"roles": tuple(f"role-{n}-{'x' * 40}" for n in range(60))}, "roles"),
        ({"scope": scopes.parse(json.dumps({f"x-service-{n}": "CloudOne" * 8 for n in range(30)}))}, "the scope"),
        ({"sealed": tokens.seal("gAAAAA" + "x" * 2000, KEYS, NOW)}, "the user's own token"),
    ],
    ids=["roles", "scope", "home"],
)
def test_one_that_is_too_long_says_what_takes_the_place(changed: dict[str, Any], what: str) -> None:
    with pytest.raises(TokenLongError) as caught:
        tokens.sign(claims(**changed), KEYS)
    assert str(caught.value).endswith(f"is {what}.")
    assert "3072" in str(caught.value)
    assert "gAAAAA" not in str(caught.value)


# Forgeries.

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
        signed(HEADER | {"typ": "application/openstackoid+jwt"}, PAYLOAD),
        signed(HEADER | {"typ": tokens.ASSERTION}, PAYLOAD),
        *(signed(HEADER | {"alg": alg}, PAYLOAD) for alg in ("none", "None", "EdDSA", "Ed448", "HS256", "ES256", 1)),
        f"{encoded(HEADER | {'alg': 'none'})}.{encoded(PAYLOAD)}.",
        f"{encoded(HEADER)}.{encoded(PAYLOAD)}.",
        f"{encoded(HEADER)}.{encoded(PAYLOAD)}.{encoded(b'0' * 64)}",
        *(
            jws.serialize_compact(HEADER | {"alg": "HS256"}, json.dumps(PAYLOAD), key, algorithms=["HS256"])
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
        *({name: None} for name in PAYLOAD if name != "nbf"),
        *({name: [{}]} for name in PAYLOAD if name != "nbf"),
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
    if changed == {"home": None} or "home" not in changed:
        refused(signed(HEADER, PAYLOAD | changed))
    for name in changed:
        if name not in {"act", "nbf"}:
            refused(signed(HEADER, {key: value for key, value in PAYLOAD.items() if key != name}))


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


@settings(max_examples=500, deadline=None)
@given(_TEXT | st.lists(_TEXT | _TEXT.map(encoded), min_size=3, max_size=3).map(".".join))
@example("x~\udcff")
@example("eyJ0eXAiOiJvcGVuc3RhY2tvaWQrand0In0.\udcff.")
def test_any_text_is_a_token_error_and_nothing_else(text: str) -> None:
    for read in (
        lambda: tokens.verify(text, PUBLIC),
        lambda: tokens.issuer(text),
        lambda: tokens.unseal(text, KEYS),
        lambda: tokens.asserted(text, lambda _: PUBLIC, "CloudTwo", NOW, SKEW),
    ):
        with pytest.raises(TokenError):
            read()
    assert not tokens.is_federated(text) or text.startswith("eyJ")
    assert not tokens.unmarked(text, KEYS)[1]


# Times.


def test_skew_is_tolerated_and_bounded() -> None:
    held = claims()
    assert not held.expired(NOW + 300 + SKEW - 1, SKEW)
    assert held.expired(NOW + 300 + SKEW, SKEW)
    assert held.expired(NOW + 300, 0)
    assert not held.early(NOW - SKEW, SKEW)
    assert held.early(NOW - SKEW - 1, SKEW)


@pytest.mark.parametrize("life", [0, -1, tokens.LONGEST_LIFE + 1, 10**6])
def test_a_life_that_nobody_believes_is_refused(life: int) -> None:
    refused(tokens.sign(claims(expires=NOW + life), KEYS), str(tokens.LONGEST_LIFE))


def test_a_life_up_to_the_bound_is_believed() -> None:
    token = tokens.sign(claims(expires=NOW + tokens.LONGEST_LIFE), KEYS)
    assert tokens.verify(token, PUBLIC).expires == NOW + tokens.LONGEST_LIFE


def test_an_assertion_is_good_for_one_cloud_and_one_time() -> None:
    said = tokens.assertion("CloudOne", "CloudTwo", KEYS, NOW, 300)
    keys = {"CloudOne": PUBLIC}

    def heard(text: str, audience: str = "CloudTwo", now: int = NOW) -> str:
        return tokens.asserted(text, keys.__getitem__, audience, now, SKEW)

    assert heard(said) == heard(said, now=NOW - SKEW) == heard(said, now=NOW + 300 + SKEW - 1) == "CloudOne"
    for audience, now in (("CloudThree", NOW), ("CloudTwo", NOW - SKEW - 1), ("CloudTwo", NOW + 300 + SKEW)):
        with pytest.raises(TokenError):
            heard(said, audience, now)
    with pytest.raises(TokenError):
        heard(tokens.assertion("CloudOne", "CloudTwo", OTHER, NOW, 300))
    with pytest.raises(TokenError):
        heard(tokens.assertion("CloudOne", "CloudTwo", KEYS, NOW, tokens.LONGEST_LIFE + 1))
    # One is not the other.
    with pytest.raises(TokenError, match="not signed as"):
        heard(TOKEN)
    refused(said)


# What home alone can open, know, mark.


def test_only_home_opens_what_it_sealed() -> None:
    sealed = tokens.seal(FERNET, KEYS, NOW)
    assert tokens.unseal(sealed, KEYS) == FERNET
    assert FERNET not in sealed
    assert encoded(FERNET.encode()) not in sealed
    assert tokens.seal(FERNET, KEYS, NOW) != sealed
    head, *rest = sealed.split(".")
    theirs = json.loads(decoded(head)) | {"kid": OTHER.sealing[0].kid}
    none = json.loads(decoded(head)) | {"alg": "none"}
    altered = [
        sealed[:-2],
        sealed[:-4] + "AAAA",
        ".".join([encoded(theirs), *rest]),
        ".".join([encoded(none), *rest]),
        ".".join([head, *rest[:2], "AAAA", rest[3]]),
        FERNET,
    ]
    for text, keys in [
        (sealed, OTHER),
        *((each, KEYS) for each in altered),
        (".".join([encoded(theirs), *rest]), OTHER),
    ]:
        with pytest.raises(TokenError) as caught:
            tokens.unseal(text, keys)
        assert "gAAAAA" not in str(caught.value)


def test_only_our_own_mark_counts() -> None:
    marked = tokens.marked(TOKEN, KEYS)
    assert tokens.unmarked(marked, KEYS) == (TOKEN, True)
    mark = marked.partition("~")[2]
    assert len(mark) == 22
    for other in (
        TOKEN,
        TOKEN + "~",
        TOKEN + "~" + "A" * 22,
        tokens.marked(TOKEN, OTHER),
        marked[:-1],
        marked + "A",
        marked + "~" + mark,
        TOKEN + "~~" + mark,
        TOKEN + "~" + mark.swapcase(),
        TOKEN + "~\udcff",
    ):
        assert tokens.unmarked(other, KEYS) == (TOKEN, False)
    assert tokens.unmarked("another~" + mark, KEYS) == ("another", False)


def test_pseudonyms_are_stable_for_a_cloud_and_different_between_clouds() -> None:
    user = ALICE.id
    two, three = (tokens.pseudonym(user, cloud, KEYS) for cloud in ("CloudTwo", "CloudThree"))
    assert two == tokens.pseudonym(user, "CloudTwo", KEYS)
    assert two == tokens.pseudonym(user, "CloudTwo", KEYS.rotated(NOW))
    others = {three, tokens.pseudonym("b" * 32, "CloudTwo", KEYS), tokens.pseudonym(user, "CloudTwo", OTHER), user}
    assert two not in others
    assert len(others) == 4
    assert len(two) == 32
    assert set(two) <= set("0123456789abcdef")
