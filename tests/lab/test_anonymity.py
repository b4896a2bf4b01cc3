"""The search of `anonymity` finds a word in each form in which somebody could read it: a search that finds nothing proves nothing."""

import base64
import json
from urllib.parse import quote

import pytest
from tests.lab.anonymity import hits

ID = "0123456789abcdef0123456789abcdef"
EMAIL = "blue+chalk@example.org"


@pytest.mark.parametrize("word", [ID, EMAIL, "xavier-5c1f"])
@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_every_form_is_found(word: str, before: str) -> None:
    packed = json.dumps({"user": {"name": f"{before}{word}"}}).encode()
    for data in (
        word.encode(),
        word.upper().encode(),
        f"{before}{word}!".encode().hex().encode(),
        quote(f"{before}/{word}", safe="").encode(),
        quote(f"{before}/{word}", safe="").lower().encode(),
        "".join(f"%{byte:02X}" for byte in word.encode()).encode(),
        base64.b64encode(f"{before}{word}{before}".encode()),
        base64.urlsafe_b64encode(b"\xff" + f"{before}{word}".encode() + b"\xfe"),
        base64.b64encode(base64.b64encode(packed)),
    ):
        assert hits(b"some text " + data + b" more", [word]), data


@pytest.mark.parametrize("form", ["01234567-89ab-cdef-0123-456789abcdef", "01234567-89AB-CDEF-0123-456789ABCDEF"])
def test_an_id_is_found_with_dashes_and_as_bytes(form: str) -> None:
    assert hits(form.encode(), [ID])
    assert hits(b"..." + bytes.fromhex(ID), [ID])


def test_what_is_not_there_is_not_found() -> None:
    data = f"{ID[:-1]} {EMAIL[1:]} {base64.b64encode(EMAIL[:-1].encode()).decode()}".encode()
    assert hits(data, [ID, EMAIL]) == {}
