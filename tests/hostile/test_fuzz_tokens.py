"""Federated tokens: with a wrong byte they are refused; with home's own signature under any claims they are refused or within bounds."""

import copy
from typing import Any

from hypothesis import strategies as st
from tests.hostile.fuzzing import anything, changed, fuzz, plain, words
from tests.trust.signing import HEADER, KEYS, OTHER, PAYLOAD, PUBLIC, TOKEN, claims, encoded, packed, signed, stamped

from openstackoid.core.errors import TokenError
from openstackoid.core.scope import Name, is_name
from openstackoid.trust import tokens
from openstackoid.trust.claims import Claims

# Honest tokens of the same time, for whoever puts their parts together.
OTHERS = [tokens.sign(claims(id=each), KEYS) for each in ("other-1", "other-2")]
HONEST = {tokens.verify(each, PUBLIC) for each in (TOKEN, *OTHERS)}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def verified(token: str) -> Claims | None:
    try:
        return tokens.verify(token, PUBLIC)
    except TokenError as error:
        plain(error, 300)
        return None


@st.composite
def mutated(draw: Any) -> str:
    """The honest token with some letters, pieces or segments changed."""
    text = TOKEN
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["replace", "insert", "cut", "double", "segment", "swap"])):
            case "replace":
                text = text[:place] + draw(st.sampled_from(ALPHABET + ".~=+/ \n\0é\udcff")) + text[place + 1 :]
            case "insert":
                text = text[:place] + draw(words) + text[place:]
            case "cut":
                text = text[:place] + text[place + draw(st.integers(1, 40)) :]
            case "double":
                text = text[:place] + text[max(0, place - 20) :]
            case "segment":
                parts = text.split(".")
                parts[draw(st.integers(0, len(parts) - 1))] = draw(
                    words.map(lambda each: encoded(each.encode("utf-8", "replace")))
                )
                text = ".".join(parts)
            case _:
                other = draw(st.sampled_from(OTHERS)).split(".")
                parts = text.split(".")
                place = draw(st.integers(0, min(len(parts), 3) - 1))
                parts[place] = other[place]
                text = ".".join(parts)
    return text


@fuzz({"text": "x~\udcff"}, {"text": TOKEN + "\n"}, {"text": TOKEN + "."}, text=mutated() | words)
def test_who_changes_a_letter_has_no_token(text: str) -> None:
    found = verified(text)
    # Mutations may undo each other, or put another honest token together.
    assert found is None or found in HONEST
    try:
        issuer, audience = tokens.issuer(text)
    except TokenError:
        pass
    else:
        assert is_name(issuer)
        assert is_name(audience)
    tokens.is_federated(text)
    unmarked, marked = tokens.unmarked(text, OTHER)
    assert not marked
    assert text.startswith(unmarked)
    assert not tokens.unmarked(tokens.marked(text.partition("~")[0], KEYS), OTHER)[1]


@fuzz(
    {"payload": PAYLOAD | {"exp": True}}, {"payload": PAYLOAD | {"roles": "admin"}}, payload=changed(PAYLOAD) | anything
)
def test_whatever_home_signs_is_refused_or_within_bounds(payload: Any) -> None:
    given = copy.deepcopy(payload)
    try:
        token = signed(HEADER, given)
    except (ValueError, RecursionError):  # no JSON: surrogates
        return
    found = verified(token)
    if found is None:
        return
    assert len(token) <= tokens.LONGEST
    assert is_name(found.issuer)
    assert is_name(found.audience)
    assert 0 < found.expires - found.issued <= tokens.LONGEST_LIFE
    texts = [found.id, found.agreement]
    for named in (found.user, found.project):
        texts += [named.id, named.name, named.domain_id, named.domain_name]
    assert all(text.isprintable() and 0 < len(text) <= 255 for text in (*texts, *found.roles))
    assert len(found.roles) <= 64
    assert all(is_name(each.cloud) for _, each in found.scope.entries if isinstance(each, Name))
    # What was understood is what was signed, as any other reader understands it.
    assert Claims.from_json(found.to_json()) == found


@fuzz(header=changed(HEADER) | anything)
def test_a_header_says_nothing_but_what_it_always_says(header: Any) -> None:
    try:
        token = stamped(header, packed(PAYLOAD))
    except (ValueError, RecursionError):
        return
    assert verified(token) is None or header == HEADER


@fuzz(data=st.binary(max_size=300) | st.binary(max_size=40).map(lambda more: packed(PAYLOAD) + more))
def test_a_payload_that_is_no_json_is_refused(data: bytes) -> None:
    found = verified(stamped(HEADER, data))
    assert found is None or data == packed(PAYLOAD)
