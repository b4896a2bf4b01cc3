"""What requests take of a region's quota, and what answers show of it."""

from typing import Any

import pytest

from openstackoid.core.region_quota import Allowance, Need, UnmeasuredError, is_upload, may_take, need, shows

PROJECT = "0123456789abcdef0123456789abcdef"
SERVERS = "/v2.1/servers"


@pytest.mark.parametrize(
    ("service", "path", "document", "expected"),
    [
        ("compute", SERVERS, {"server": {"flavorRef": "1"}}, Need({"instances": 1}, "1", 1)),
        ("compute", "/v2.1/os-volumes_boot", {"server": {"flavorRef": "1"}}, Need({"instances": 1}, "1", 1)),
        ("compute", f"/v2.1/{PROJECT}/servers", {"server": {"flavorRef": 1}}, Need({"instances": 1}, "1", 1)),
        (
            "compute",
            SERVERS,
            {"server": {"flavorRef": "http://c/flavors/m1", "min_count": 1, "max_count": "3"}},
            Need({"instances": 3}, "m1", 3),
        ),
        ("compute", SERVERS, {"server": {"flavorRef": "1", "min_count": "many"}}, Need({"instances": 1}, "1", 1)),
        ("compute", f"{SERVERS}/s1/action", {"resize": {"flavorRef": "2"}}, Need(flavor="2", server="s1")),
        ("compute", f"{SERVERS}/s1/action", {"reboot": {"type": "SOFT"}}, None),
        ("compute", SERVERS, {"server": []}, None),
        ("compute", SERVERS, [], None),
        ("network", "/v2.0/ports", {"port": {}}, Need({"ports": 1})),
        ("network", "/v2.0/networks.json", {"networks": [{}, {}]}, Need({"networks": 2})),
        ("network", "/v2.0/floatingips", {"floatingip": {}}, Need({"floating_ips": 1})),
        ("network", "/v2.0/floatingips", {}, None),
        ("network", "/v2.0/routers/r1/add_router_interface", {"subnet_id": "s"}, Need({"ports": 1})),
        ("network", "/v2.0/routers/r1/add_router_interface", {"port_id": "p"}, None),
        ("block-storage", f"/v3/{PROJECT}/volumes", {"volume": {"size": "5"}}, Need({"volumes": 1, "gigabytes": 5})),
        ("block-storage", f"/v3/{PROJECT}/snapshots", {"snapshot": {"volume_id": "v"}}, Need(volume="v")),
        (
            "block-storage",
            "/v3/volumes/v/action",
            {"os-extend": {"new_size": 9}},
            Need({"gigabytes": 9}, volume="v", extends=True),
        ),
        ("image", "/v2/images/i/import", {"method": {"name": "glance-direct"}}, None),
    ],
)
def test_what_a_request_takes(service: str, path: str, document: Any, expected: Need | None) -> None:
    assert may_take(service, "POST", path)
    assert need(service, path, document) == expected


@pytest.mark.parametrize(
    ("service", "path", "document"),
    [
        ("block-storage", f"/v3/{PROJECT}/volumes", {"volume": {"snapshot_id": "s"}}),
        ("image", "/v2/images/i/import", {"method": {"name": "web-download"}}),
        ("image", "/v2/images/i/import", {}),
    ],
)
def test_what_nobody_can_measure_is_refused(service: str, path: str, document: Any) -> None:
    with pytest.raises(UnmeasuredError):
        need(service, path, document)


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [
        ("compute", "GET", SERVERS),
        ("compute", "DELETE", f"{SERVERS}/s1"),
        ("compute", "POST", "/v2.1/os-keypairs"),
        ("network", "POST", "/v2.0/security-groups"),
        ("network", "PUT", "/v2.0/ports/p1"),
        ("image", "POST", "/v2/images"),
        ("identity", "POST", "/v3/projects"),
    ],
)
def test_other_requests_take_nothing(service: str, method: str, path: str) -> None:
    assert not may_take(service, method, path)


def test_uploads_are_counted_by_their_bytes() -> None:
    assert is_upload("image", "PUT", "/v2/images/i/file")
    assert is_upload("image", "PUT", "/v2/images/i/stage")
    assert not is_upload("image", "GET", "/v2/images/i/file")


@pytest.mark.parametrize(
    ("service", "path", "before", "after"),
    [
        (
            "compute",
            "/v2.1/limits",
            {"limits": {"rate": [], "absolute": {"maxTotalCores": 1, "totalCoresUsed": 1, "maxServerMeta": 128}}},
            {"limits": {"rate": [], "absolute": {"maxTotalCores": 7, "totalCoresUsed": 1, "maxServerMeta": 128}}},
        ),
        (
            "compute",
            f"/v2.1/os-quota-sets/{PROJECT}",
            {"quota_set": {"id": PROJECT, "cores": 1, "instances": 10}},
            {"quota_set": {"id": PROJECT, "cores": 7, "instances": 10}},
        ),
        (
            "compute",
            f"/v2.1/os-quota-sets/{PROJECT}/detail",
            {"quota_set": {"cores": {"limit": 1, "in_use": 1, "reserved": 0}}},
            {"quota_set": {"cores": {"limit": 7, "in_use": 1, "reserved": 0}}},
        ),
        (
            "network",
            f"/v2.0/quotas/{PROJECT}/details.json",
            {"quota": {"port": {"limit": 0, "used": 2, "reserved": 0}, "router": {"limit": 10}}},
            {"quota": {"port": {"limit": 9, "used": 2, "reserved": 0}, "router": {"limit": 10}}},
        ),
        ("network", f"/v2.0/quotas/{PROJECT}", {"quota": {"port": 0}}, {"quota": {"port": 9}}),
    ],
)
def test_answers_show_what_the_region_has_left(service: str, path: str, before: Any, after: Any) -> None:
    assert shows(service, "GET", path)
    assert Allowance((("cores", 7), ("ports", 9), ("image_bytes", 5))).rewrite(200, before) == (200, after)


def test_other_answers_stay_as_they_are() -> None:
    assert not shows("compute", "GET", "/v2.1/servers")
    assert not shows("compute", "PUT", f"/v2.1/os-quota-sets/{PROJECT}")
    allowance = Allowance((("cores", 7),))
    documents: list[Any] = [{"quota_set": {"ram": 5}}, {"error": {"code": 403}}, [], None, {"limits": []}]
    for document in documents:
        assert allowance.rewrite(200, document) is None
