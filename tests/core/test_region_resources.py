"""What of a provider's cloud a virtual region shows and lets be used."""

import pickle
from typing import Any

import pytest

from openstackoid.core.errors import NotInRegionError, OutsideRegionError
from openstackoid.core.region_resources import WHOLE, Resources

PROJECT = "a" * 32
NAMED = {"flavors": ["1"], "images": ["i1"], "external_networks": ["n1"], "zones": ["nova"]}
PART = Resources.from_json(NAMED).of(PROJECT)


def owned(**more: Any) -> dict[str, Any]:
    return {"project_id": PROJECT, "tenant_id": PROJECT, **more}


@pytest.mark.parametrize(
    ("service", "many", "inside", "outside"),
    [
        ("compute", "flavors", [{"id": "1"}], [{"id": "2"}, {}, "1"]),
        ("compute", "images", [{"id": "i1"}], [{"id": "i2"}]),
        ("compute", "availabilityZoneInfo", [{"zoneName": "nova"}], [{"zoneName": "gold"}]),
        ("image", "images", [{"id": "i1"}, {"id": "x", "owner": PROJECT}], [{"id": "i2", "owner": "b"}, {"name": "n"}]),
        ("network", "networks", [{"id": "n1"}, owned(id="own")], [{"id": "n2", "project_id": "b"}, {"name": "n"}]),
        ("network", "subnets", [{"id": "s", "network_id": "n1"}, owned(id="own")], [{"id": "t", "network_id": "n2"}]),
    ],
)
def test_a_list_has_what_is_in_the_region(service: str, many: str, inside: list[Any], outside: list[Any]) -> None:
    document = {many: [*outside, *inside], "other": 1}
    assert PART.answer(service, document) == {many: inside, "other": 1}
    assert WHOLE.answer(service, {many: [*outside, *inside]}) == {many: [*outside, *inside]}


@pytest.mark.parametrize(
    ("service", "inside", "outside"),
    [
        ("compute", {"flavor": {"id": "1"}}, {"flavor": {"id": "2"}}),
        (
            "image",
            {"id": "x", "owner": PROJECT, "disk_format": "raw"},
            {"id": "i2", "owner": "b", "disk_format": "raw"},
        ),
        ("image", {"id": "i1", "disk_format": "raw"}, {"id": "i2", "disk_format": "raw"}),
        ("network", {"network": owned(id="own")}, {"network": {"id": "n2", "project_id": "b"}}),
    ],
)
def test_one_thing_that_is_not_in_the_region_does_not_exist(
    service: str, inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    assert PART.answer(service, dict(inside)) == inside
    with pytest.raises(NotInRegionError):
        PART.answer(service, outside)
    assert WHOLE.answer(service, dict(outside)) == outside


@pytest.mark.parametrize(
    ("service", "inside", "outside"),
    [
        ("compute", {"server": {"flavorRef": "1"}}, {"server": {"flavorRef": "2"}}),
        ("compute", {"server": {"flavorRef": "http://x/flavors/1"}}, {"server": {"flavorRef": "http://x/flavors/2?1"}}),
        ("compute", {"resize": {"flavorRef": 1}}, {"resize": {"flavorRef": 2}}),
        (
            "compute",
            {"server": {"availability_zone": "nova:host"}},
            {"server": {"flavorRef": "1", "availability_zone": "gold"}},
        ),
        (
            "network",
            {"router": {"external_gateway_info": {"network_id": "n1"}}},
            {"router": {"external_gateway_info": {"network_id": "n2"}}},
        ),
        ("network", {"router": {}}, {"router": {"external_gateways": [{"network_id": "n1"}, {"network_id": "n2"}]}}),
        (
            "network",
            {"floatingip": {"floating_network_id": "n1"}},
            {"floatingips": [{"floating_network_id": "n1"}, {"floating_network_id": "n2"}]},
        ),
    ],
)
def test_a_request_names_what_is_in_the_region(service: str, inside: dict[str, Any], outside: dict[str, Any]) -> None:
    assert PART.request(service, dict(inside)) == inside
    with pytest.raises(OutsideRegionError, match=r"not in this region\. These are:"):
        PART.request(service, outside)
    assert WHOLE.request(service, dict(outside)) == outside


@pytest.mark.parametrize(
    "document", [None, [], "text", {"server": None}, {"router": []}, {"floatingips": {"a": 1}}, {"flavors": {"id": 1}}]
)
def test_documents_of_any_form_are_read(document: Any) -> None:
    for service in ("compute", "image", "network", "object-store"):
        PART.request(service, document)
        PART.answer(service, document)


def test_paths_name_flavors_and_images() -> None:
    for path in ("/v2.1/flavors", "/v2.1/flavors/detail", "/v2.1/flavors/1/os-extra_specs", "/v2.1/servers/2"):
        PART.path("compute", path)
    for path in ("/v2.1/flavors/2", f"/v2.1/{PROJECT}/flavors/2/os-extra_specs", "/v2/flavors/details"):
        with pytest.raises(NotInRegionError):
            PART.path("compute", path)
        WHOLE.path("compute", path)
    assert PART.image_to_check("image", "/v2/images/i2/file") == "i2"
    assert PART.image_to_check("image", "/v2/images/i1/file") is None
    assert PART.image_to_check("image", "/v2/images/i2") is None  # the answer says whose it is
    assert WHOLE.image_to_check("image", "/v2/images/i2/file") is None


def test_they_are_values() -> None:
    assert Resources.from_json(PART.to_json()).of(PROJECT) == PART
    assert pickle.loads(pickle.dumps(PART)) == PART
    assert [service for service in ("compute", "image", "network", "identity") if PART.concerns(service)] == [
        *("compute", "image", "network")
    ]
    assert not WHOLE.concerns("compute")
