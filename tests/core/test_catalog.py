"""Clouds as their peers see them, and Keystone's catalogs."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core.catalog import PROJECT, Cloud, base_url, catalog, filled, templated

GOOD: dict[str, Any] = {"cloud": "CloudTwo", "version": 1, "services": {"image": {"url": "http://x:9292"}}}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://X.example:80/", "http://x.example"),
        ("HTTPS://x:443/image//", "https://x/image"),
        ("https://x:80", "https://x:80"),
        ("http://[::1]:9292/v2/", "http://[::1]:9292/v2"),
    ],
)
def test_one_form_for_each_base(url: str, expected: str) -> None:
    assert base_url(url) == base_url(base_url(url)) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "ftp://x", "http://", "http://u:p@x", "http://x?a=b", "http://x#a", "http://x:0", "http://x:99999"),
        *(
            "http://x/a;b",
            "http://x/%2e",
            "http://x//y",
            "http://x/a|b",
            "http://x:",
            "http://[x]",
            "http://[fe80::1%25x]",
        ),
        *(
            "http://" + "x" * 254,
            "http://x/" + "y" * 256,
            "http://x/" + "y" * 4096,
            "\thttp://x",
            "http://x\n",
            "http://-x",
        ),
        *("http://x/../y", "http://x y", "http://x/\r\nA: b", 'http://x/"', "http://\u00e9", "http://x:port"),
    ],
)
def test_what_is_no_base(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        base_url(url)


def test_what_is_wrong_is_said_in_short() -> None:
    with pytest.raises(ValueError, match=r"expected http") as error:
        base_url("http://x/" + "\u202e;" * 5000)
    assert len(str(error.value)) < 500
    assert str(error.value).isascii()


@given(st.text())
def test_any_text_is_a_base_or_a_value_error(url: str) -> None:
    with contextlib.suppress(ValueError):
        assert base_url(base_url(url)) == base_url(url)


def test_a_cloud_reads_what_it_wrote() -> None:
    cloud = Cloud("CloudTwo", {"image": "http://x:9292", "block-storage": "http://x:8776"}, frozenset({"edge", "a"}))
    assert Cloud.from_json(cloud.to_json()) == cloud
    assert Cloud.from_json(GOOD | {"services": {"Volumev3": {"url": "http://x/"}}}).services == {
        "block-storage": "http://x"
    }


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], {}, GOOD | {"version": 2}, GOOD | {"cloud": "a b"}, GOOD | {"cloud": 1}),
        *(GOOD | {"labels": "edge"}, GOOD | {"labels": ["a b"]}, GOOD | {"services": []}),
        *(GOOD | {"services": {"image": "http://x"}}, GOOD | {"services": {"im age": {"url": "http://x"}}}),
        *(GOOD | {"labels": ["a"] * 65}, GOOD | {"frontends": {f"x{n}": {"url": "http://x"} for n in range(101)}}),
        *(GOOD | {"services": {f"x{n}": {"url": "http://x"} for n in range(101)}}, GOOD | {"frontends": 1}),
        GOOD | {"services": {"volumev2": {"url": "http://x"}, "volumev3": {"url": "http://x"}}},
        *(GOOD | {"services": {"image": {"url": "file:///x"}}}, GOOD | {"services": {"image": {"url": 1}}}),
    ],
)
def test_what_a_peer_may_not_say(document: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        Cloud.from_json(document)


def test_a_catalog_is_remembered_without_the_project() -> None:
    project = "0123456789abcdef0123456789abcdef"
    entries = [
        {"type": "compute", "endpoints": [{"interface": "public", "url": f"http://x/v2.1/{project}"}]},
        {"type": "image", "endpoints": [{"interface": "public", "url": "http://y"}]},
    ]
    kept = templated(entries, project)
    assert PROJECT in kept[0]["endpoints"][0]["url"]
    assert filled(kept, project) == entries
    assert filled(kept, "other")[0]["endpoints"][0]["url"] == "http://x/v2.1/other"
    assert [len(entry["endpoints"]) for entry in filled(kept, None)] == [0, 1]
    assert templated(entries, None) == entries


def test_a_catalog_has_every_interface_and_steady_ids() -> None:
    made = catalog({"image": "http://y", "compute": "http://x"}, "RegionOne")
    assert made == catalog({"compute": "http://x", "image": "http://y"}, "RegionOne")
    assert [entry["type"] for entry in made] == ["compute", "image"]
    points = [point for entry in made for point in entry["endpoints"]]
    assert len({point["id"] for point in points}) == len(points) == 6
    assert {point["region_id"] for point in points} == {"RegionOne"}


@pytest.mark.parametrize(
    "url", ["https://user:password@host", "https://user:pass/word@host", "https://user:pass word@host"]
)
def test_a_password_in_a_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        base_url(url)
    assert "word" not in str(caught.value)
