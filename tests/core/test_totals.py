"""Limits, quotas and usage of several clouds become one document."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core.totals import has_totals, total

_PROJECT = "0123456789abcdef0123456789abcdef"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "tenant_usages", "server_usages", "metadata_items"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("compute", "/v2.1/limits"),
        ("compute", f"/v2.1/{_PROJECT}/limits"),
        ("compute", f"/v2.1/os-quota-sets/{_PROJECT}"),
        ("compute", f"/v2.1/os-quota-sets/{_PROJECT}/detail"),
        ("compute", f"/v2.1/os-simple-tenant-usage/{_PROJECT}"),
        ("compute", "/v2.1/os-hypervisors/statistics"),
        ("block-storage", f"/v3/{_PROJECT}/limits"),
        ("network", f"/v2.0/quotas/{_PROJECT}/details.json"),
        ("image", "/v2/info/usage"),
    ],
)
def test_what_is_added_up(service: str, path: str) -> None:
    assert has_totals(service, path)


@pytest.mark.parametrize(
    ("service", "path"),
    [("compute", "/v2.1/servers"), ("image", "/v2/limits"), ("network", "/v2.0/quotas"), ("x", "/")],
)
def test_what_is_not(service: str, path: str) -> None:
    assert not has_totals(service, path)


def test_limits_are_added_those_of_one_thing_are_not_and_unlimited_stays() -> None:
    one = {
        "maxTotalCores": 20,
        "totalCoresUsed": 3,
        "maxServerMeta": 128,
        "maxTotalRAMSize": -1,
        "maxTotalInstances": 10,
    }
    two = {
        "maxTotalCores": 10,
        "totalCoresUsed": 4,
        "maxServerMeta": 64,
        "maxTotalRAMSize": 51200,
        "maxTotalInstances": 5,
    }
    limits: Any = [{"limits": {"rate": [], "absolute": absolute}} for absolute in (one, two)]
    assert total(limits) == {
        "limits": {
            "rate": [],
            "absolute": {
                "maxTotalCores": 30,
                "totalCoresUsed": 7,
                "maxServerMeta": 64,
                "maxTotalRAMSize": -1,
                "maxTotalInstances": 15,
            },
        }
    }


def test_the_usage_of_a_project_is_added_and_its_servers_are_joined() -> None:
    def usage(project: str, hours: float, *servers: str) -> dict[str, Any]:
        return {
            "tenant_id": project,
            "total_hours": hours,
            "start": "2026",
            "server_usages": [{"name": s} for s in servers],
        }

    documents = [
        {"tenant_usages": [usage("a", 1.5, "web"), usage("b", 1.0)]},
        {"tenant_usages": [usage("a", 2.0, "db")]},
    ]
    assert total(documents) == {"tenant_usages": [usage("a", 3.5, "web", "db"), usage("b", 1.0)]}


def test_a_field_of_one_cloud_alone_counts() -> None:
    assert total(
        [{"quota": {"network": {"limit": 100, "used": 1}}}, {"quota": {"router": {"limit": 5, "used": 0}}}]
    ) == {"quota": {"network": {"limit": 100, "used": 1}, "router": {"limit": 5, "used": 0}}}


@given(st.lists(_JSON, min_size=1, max_size=4))
def test_any_json_has_a_total_that_is_json(documents: list[Any]) -> None:
    json.dumps(total(documents))


@given(_JSON)
def test_the_total_of_one_cloud_is_its_own(document: Any) -> None:
    if "tenant_usages" not in json.dumps(document):
        assert total([document]) == document
