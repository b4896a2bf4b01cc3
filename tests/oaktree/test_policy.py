"""What a policy allows: here, and of other oaktrees."""

from typing import Any

import pytest

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.access.policy import EVERYTHING, Policy, narrowed


def policy(*locations: dict[str, str], **more: Any) -> Policy:
    return Policy.model_validate({"locations": locations or [{}], **more})


@pytest.mark.parametrize(
    ("cloud", "region", "allowed"),
    [
        ("CloudOne", "RegionOne", True),
        ("CloudOne", "RegionTwo", True),
        ("CloudTwo", "RegionOne", True),
        ("CloudTwo", "RegionTwo", False),
        ("cloudone", "RegionOne", False),
        ("XCloudOne", "RegionOne", False),
        ("CloudOneX", "RegionOne", False),
    ],
)
def test_locations(cloud: str, region: str, allowed: bool) -> None:
    found = policy({"cloud": "CloudOne"}, {"cloud": "Cloud[T]*", "region": "?egionOne"})
    assert found.allows(Location(cloud=cloud, region=region)) == allowed


def test_clouds_without_regions() -> None:
    assert policy({"cloud": "One"}).allows(Location(cloud="One"))
    assert not policy({"cloud": "One", "region": "A"}).allows(Location(cloud="One"))


def test_verbs_and_kinds() -> None:
    found = policy(verbs=["list", "create"], kinds=["compute.*", "image.image"])
    assert found.may("list", "compute.server")
    assert found.may("create", "image.image")
    assert not found.may("get", "compute.server")
    assert not found.may("list", "image.member")
    assert not found.may("list", "xcompute.server")


def test_without_verbs_it_reads() -> None:
    assert {
        verb
        for verb in ("list", "get", "create", "update", "delete", "watch", "upload", "rest")
        if policy().may(verb, "x.y")
    } == {
        "list",
        "get",
        "watch",
    }
    assert EVERYTHING.may("rest", "x.y")


@pytest.mark.parametrize(
    ("where", "below"),
    [
        ({}, Location()),
        ({"cloud": "SiteB/*"}, Location()),
        ({"cloud": "Site*"}, Location()),
        ({"cloud": "SiteB/One"}, Location(cloud="One")),
        ({"cloud": "SiteB/SiteC/One", "region": "R"}, Location(cloud="SiteC/One", region="R")),
        ({"cloud": "*", "region": "R"}, Location(region="R")),
        ({"cloud": "SiteB"}, None),
        ({"cloud": "SiteB/"}, None),
        ({"cloud": "CloudOne"}, None),
        ({"cloud": "SiteBB/*"}, None),
        ({"cloud": "SiteC/*"}, None),
    ],
)
def test_what_it_allows_of_another_oaktree(where: dict[str, str], below: Location | None) -> None:
    assert policy(where).below("SiteB") == (None if below is None else [below])


@pytest.mark.parametrize(
    "where", [{"cloud": "SiteB/C*"}, {"cloud": "Site?/*"}, {"cloud": "SiteB/*", "region": "R*"}, {"cloud": "*One"}]
)
def test_patterns_that_only_the_other_oaktree_could_tell(where: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="in full"):
        policy(where).below("SiteB")


def test_narrowed_to_what_both_say() -> None:
    allowed = [Location(cloud="One"), Location(region="R")]
    assert narrowed([Location()], allowed) == allowed
    assert narrowed([Location(cloud="Two", zone="z")], allowed) == [Location(cloud="Two", region="R", zone="z")]
    assert narrowed([Location(cloud="Two", region="S")], allowed) == []
    assert narrowed([Location(cloud="One")], [Location()]) == [Location(cloud="One")]
