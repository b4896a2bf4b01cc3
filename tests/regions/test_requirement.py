"""Requirements for offers: what they mean, and what cannot be read."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.regions.errors import RequirementError
from openstackoid.regions.objects.requirement import DEEPEST, LONGEST, AllOf, met, parse, paths

VALUES: Final[dict[str, Any]] = {
    "flavors": [
        {"name": "wide", "vcpus": 16, "ram": 4096, "disk": 20},
        {"name": "tall", "vcpus": 2, "ram": 65536, "disk": 20, "extra_specs": {"hw:cpu_policy": "dedicated"}},
    ],
    "location": {"country": "FR", "city": "La Rochelle", "latitude": 46.16},
    "price": {"currency": "EUR", "items": [{"sku": "tall", "unit": "hour", "amount": "0.20"}]},
    "network": {"ipv6": False},
    "images": {"formats": ["qcow2", "raw"]},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flavors.vcpus>=8 and location.country=FR and price.currency=EUR", True),
        ("flavors.vcpus>=17", False),
        ("flavors.vcpus>=8 and flavors.ram>=65536", False),  # one flavor with both
        ("(flavors.vcpus>=8) and (flavors.ram>=65536)", False),  # brackets alone change nothing
        ("flavors.vcpus>=8 and (flavors.ram>=65536 or network.ipv6=true)", True),  # any flavor for each
        ("location.city='La Rochelle'", True),
        ("location.latitude>46.1 and location.latitude<46.2", True),
        ("price.items.amount<=0.2", True),
        ("price.items.amount<0.2", False),
        ("images.formats=qcow2", True),
        ("images.formats=vmdk", False),
        ("network.ipv6=false", True),
        ("not network.ipv6=true", True),
        ("sla.availability>=99", False),  # not stated
        ("not sla.availability>=99", False),  # still unknown
        ("sla.availability>=99 or location.country=FR", True),
        ("location.country!=DE", True),
        ("location.country>=5", False),  # a text and a number
        ("network.ipv6>=false", False),
    ],
)
def test_what_is_met(text: str, expected: bool) -> None:
    assert met(parse(text), VALUES) is expected


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "path"),
        ("flavors.vcpus", 13, "one of ="),
        ("flavors.vcpus>=", 15, "a value"),
        ("flavors.vcpus>=8 location.country=FR", 17, "the end"),
        ("(a=1", 4, r"\)"),
        ("a=1 and", 7, "path"),
        ("A.b=1", 0, "path"),
        ("a=1; drop", 3, "comparison"),
        ("a='x", 2, "comparison"),
        ("a..b=1", 0, "path"),
        ("x" * (LONGEST + 1), LONGEST, "at most"),
        ("(" * (DEEPEST + 2) + "a=1", DEEPEST + 1, "at most"),
    ],
)
def test_malformed_requirements_show_the_place(text: str, position: int, expected: str) -> None:
    with pytest.raises(RequirementError, match=expected) as caught:
        parse(text)
    assert caught.value.position == position


@given(
    st.text(alphabet="ab.=<>!()' notrd08", max_size=60),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists),
)
def test_any_text_is_read_or_refused(text: str, value: Any) -> None:
    try:
        requirement = parse(text)
    except RequirementError:
        return
    assert met(requirement, {"a": value, "b": {"a": [value]}}) in {True, False}


def test_paths_are_named() -> None:
    requirement = parse("not (a.b=1 or c>2) and d=x")
    assert isinstance(requirement, AllOf)
    assert paths(requirement) == {"a.b", "c", "d"}
