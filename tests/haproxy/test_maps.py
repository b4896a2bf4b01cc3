"""Keys and values of the maps, without a HAProxy."""

import base64
import os

import pytest
from cryptography.fernet import Fernet

from openstackoid.haproxy import maps

SCOPE = '{"image":"CloudTwo"}'


def fernet(size: int) -> str:
    return Fernet(Fernet.generate_key()).encrypt(os.urandom(size)).decode()


@pytest.mark.parametrize("size", range(64, 200))
def test_a_fernet_token_is_known_by_its_end(size: int) -> None:
    token = fernet(size)
    for each in (token, token.rstrip("=")):  # Keystone sends them without padding
        key = maps.user(each, SCOPE)
        assert key is not None
        end, what, scope = key.split("|")
        assert (what, scope) == ("file", SCOPE)
        assert each.endswith(end)
        # The whole HMAC is in it, whatever is looked at besides, and never the whole token.
        assert 43 <= len(end.rstrip("=")) < len(each) - 100
    assert maps.user(fernet(size), SCOPE) != maps.user(token, SCOPE)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "gAAAAA",
        "gAAAAA" + "x" * 100,
        # As long as one, and no blocks.
        "gAAAAA" + "x" * 178,
        "gAAAAA" + "x" * 400,
        # Of another form, in which the end may say nothing.
        os.urandom(16).hex(),
        base64.urlsafe_b64encode(bytes(137)).decode(),
        "eyJ" + "x" * 180,
        fernet(64) + "!SCOPE!{}",
        fernet(64).replace("gAAAAA", "gAAAAA~"),
        fernet(64)[:-2],
        fernet(64) + "\n",
        "é" + fernet(64)[1:],
    ],
)
def test_no_other_token_has_a_key(token: str) -> None:
    assert maps.user(token, SCOPE) is None


def test_a_short_token_is_never_replaced() -> None:
    """Its HMAC would begin before the part that is looked at."""
    for size in (0, 32, 47):  # the last has 164 characters, of which two are padding
        assert maps.user(fernet(size), SCOPE) is None


def test_the_value_that_says_plain_is_the_only_short_one() -> None:
    for service in ("image", "compute"):
        assert maps.way(service, SCOPE, method="GET") == f"GET|{service}|{SCOPE}"
    assert len(maps.PLAIN) < len("L|!SCOPE!{}")
