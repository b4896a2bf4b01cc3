"""Federated tokens: what they hold, how long they count, and what their home alone can open, know and mark."""

import json
import secrets
from typing import Any

import pytest
from tests.trust.signing import (
    ALICE,
    FERNET,
    HEADER,
    KEYS,
    NOW,
    OTHER,
    PUBLIC,
    SCOPE,
    SKEW,
    TOKEN,
    claims,
    decoded,
    encoded,
    refused,
)

from openstackoid.core import scope as scopes
from openstackoid.core.errors import TokenError, TokenLongError
from openstackoid.trust import tokens
from openstackoid.trust.packing import unpack
from openstackoid.trust.sealing import seal, unseal


def test_what_is_signed_is_read_again() -> None:
    assert tokens.verify(TOKEN, PUBLIC) == claims(sealed=json.loads(unpack(decoded(TOKEN.split(".")[1])))["home"])
    acting = claims(actor="CloudThree")
    assert tokens.verify(tokens.sign(acting, KEYS), PUBLIC) == acting
    assert tokens.is_federated(TOKEN)
    assert tokens.is_federated(tokens.marked(TOKEN, KEYS))
    assert tokens.issuer(TOKEN) == ("CloudOne", "CloudTwo")
    assert {"typ": "openstackoid+jws", "alg": "Ed25519", "kid": KEYS.fingerprint} == HEADER


def test_a_usual_token_is_short_enough() -> None:
    assert len(FERNET) == 250
    assert len(claims().roles) == len(claims().scope.entries) == 5
    assert len(TOKEN) < 950 < tokens.LONGEST == 3072
    # With its mark and a scope of the user's beside it, the header stays below uWSGI's 4 KiB for a whole head.
    assert len(tokens.marked(TOKEN, KEYS)) + len(SCOPE) < 1100


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"roles": tuple(f"role-{n}-{secrets.token_hex(40)}" for n in range(60))}, "roles"),
        ({"scope": scopes.parse(json.dumps({f"x-{n}": secrets.token_hex(32) for n in range(60)}))}, "the scope"),
        ({"sealed": seal("gAAAAA" + "x" * 2000, KEYS, NOW)}, "the user's own token"),
    ],
    ids=["roles", "scope", "home"],
)
def test_one_that_is_too_long_says_what_takes_the_place(changed: dict[str, Any], what: str) -> None:
    with pytest.raises(TokenLongError) as caught:
        tokens.sign(claims(**changed), KEYS)
    assert str(caught.value).endswith(f"is {what}.")
    assert "3072" in str(caught.value)
    assert "gAAAAA" not in str(caught.value)


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
    sealed = seal(FERNET, KEYS, NOW)
    assert unseal(sealed, KEYS) == FERNET
    assert seal(FERNET, KEYS, NOW) != sealed
    raw = decoded(sealed)
    assert FERNET.encode() not in raw
    assert decoded(FERNET) not in raw
    flipped = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    for text, keys in [
        (sealed, OTHER),
        *(
            (encoded(each), KEYS)
            for each in (*flipped, raw[:-1], raw + b"\0", raw[1:], raw[:27], raw[:12], raw[:5], b"")
        ),
        (FERNET, KEYS),
        ("~" + sealed, KEYS),
    ]:
        with pytest.raises(TokenError) as caught:
            unseal(text, keys)
        assert "gAAAAA" not in str(caught.value)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        FERNET,
        FERNET[:-1],
        FERNET[:-1] + "x",
        FERNET + "==",
        "gAAAAA",
        "gA",
        "g",
        "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
        "é",
    ],
)
def test_any_token_is_the_same_when_it_was_sealed(token: str) -> None:
    assert unseal(seal(token, KEYS, NOW), KEYS) == token


def test_a_fernet_token_grows_by_nonce_and_tag_alone() -> None:
    assert len(decoded(seal(FERNET, KEYS, NOW))) == len(decoded(FERNET)) + 12 + 16


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
