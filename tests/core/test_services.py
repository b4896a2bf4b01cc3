"""Service types: one spelling, whatever a client writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core.services import is_official, service_type, suggested


@pytest.mark.parametrize(
    ("written", "official"),
    [
        ("image", "image"),
        ("Image", "image"),
        ("volumev3", "block-storage"),
        ("volume", "block-storage"),
        ("block-store", "block-storage"),
        ("block_storage", "block-storage"),
        ("BLOCK-STORAGE", "block-storage"),
        ("object-store", "object-store"),
        ("my-private-service", "my-private-service"),
        ("My_Own", "my_own"),
    ],
)
def test_official_spelling(written: str, official: str) -> None:
    assert service_type(written) == official


@pytest.mark.parametrize(
    "written", ["", "*", "-image", "image-", "im age", "image\n", "3d", "a--b", "a/b", "é", "a" * 65, "\0"]
)
def test_what_is_no_service_type(written: str) -> None:
    assert service_type(written) is None


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True)))
def test_official_types_stay_as_they_are(text: str) -> None:
    official = service_type(text)
    if official is not None:
        assert service_type(official) == official
        assert official.isascii()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("compte", "compute"),
        ("imag", "image"),
        ("imgae", "image"),
        ("glance", "image"),
        ("nova", "compute"),
        ("cinder", "block-storage"),
        ("volumev33", "block-storage"),
        ("my-srvice", "my-service"),
        ("qqqq", None),
    ],
)
def test_what_somebody_may_have_meant(written: str, meant: str | None) -> None:
    assert not is_official(written)
    assert suggested(written, ["my-service"]) == meant
