"""Credentials in the metadata of calls: each for one cloud, however a client's library sends several."""

import pytest

from openstackoid.oaktree.errors import InvalidError
from openstackoid.oaktree.upstream.credentials import APPLICATION_CREDENTIAL, TOKEN, Credential, parse

ONE = Credential("one", "gAAAAA-one=")
TWO = Credential("two/east", "gAAAAA_two==")
KEY = Credential("three", "a secret, of words & 100 %", "0b6e")


def test_each_has_a_header_of_its_own() -> None:
    metadata = [ONE.header("one"), TWO.header("two/east"), KEY.header("three"), ("user-agent", "x, y")]
    assert parse(metadata) == [ONE, KEY, TWO]


def test_joined_by_commas_they_are_the_same() -> None:
    joined = ", ".join(each.header(each.cloud)[1] for each in (ONE, TWO))
    assert parse([(TOKEN, joined), KEY.header("three")]) == [ONE, KEY, TWO]


@pytest.mark.parametrize(
    "value",
    ["", "one", "one  gAAAA", "one gAAAA,", "one gAAAA, two", "one g,AAAA", "../one gAAAA", "one gA\tAA", "one %ff"],
)
def test_what_is_none_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse([(TOKEN, value)])
    assert caught.value.field == f"metadata.{TOKEN}"
    assert "gA" not in str(caught.value)


def test_two_for_one_cloud_are_refused() -> None:
    with pytest.raises(InvalidError):
        parse([ONE.header("one"), (APPLICATION_CREDENTIAL, "one 0b6e secret")])
