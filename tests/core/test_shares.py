"""Requests that share with another project, and whom they name."""

from typing import Any

import pytest

from openstackoid.core.shares import share

B = "b" * 32


@pytest.mark.parametrize(
    ("service", "target", "named"),
    [
        ("image", "/v2/images/i/members", set()),
        ("image", f"/v2/images/i/members/{B}", {B}),
        ("network", "/v2.0/rbac-policies", set()),
        ("network", f"/v2.0/rbac-policies.json?fields=id&target_tenant={B}", {B}),
        ("network", "/v2.0/rbac-policies/r", set()),
        ("network", "/v2.0/rbac-policies?target_tenant=*", set()),
        ("compute", "/v2.1/flavors/f/action", set()),
        ("compute", "/v2.1/flavors/f/os-flavor-access", set()),
        ("block-storage", f"/v3/{B}/types/t/action", set()),
        ("shared-file-system", "/v2/types/t/share_type_access", set()),
        ("dns", "/v2/zones/z/shares", set()),
    ],
)
def test_requests_that_share(service: str, target: str, named: set[str]) -> None:
    found = share(service, target)
    assert found is not None
    assert found.named == named


@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("image", "/v2/images/i"),
        ("image", "/v2/images/i/members/m/x"),
        ("image", "/v2/images"),
        ("network", "/v2.0/networks"),
        ("network", "/v2.0/rbac-policies/r/x"),
        ("compute", "/v2.1/servers/s/action"),
        ("identity", "/v3/projects"),
        ("object-store", "/v1/AUTH_x/members"),
    ],
)
def test_requests_that_do_not(service: str, target: str) -> None:
    assert share(service, target) is None


@pytest.mark.parametrize(
    ("service", "target", "body", "named"),
    [
        ("image", "/v2/images/i/members", {"member": B}, {B}),
        ("network", "/v2.0/rbac-policies", {"rbac_policy": {"target_tenant": B, "object_id": "o"}}, {B}),
        ("network", "/v2.0/rbac-policies", {"rbac_policy": {"target_tenant": "*"}}, set()),
        ("compute", "/v2.1/flavors/f/action", {"addTenantAccess": {"tenant": B}}, {B}),
        ("block-storage", "/v3/types/t/action", {"addProjectAccess": {"project": B}}, {B}),
        ("dns", "/v2/zones/z/shares", {"target_project_id": B}, {B}),
        ("image", "/v2/images/i/members", [], set()),
        ("image", "/v2/images/i/members", "x", set()),
        ("image", "/v2/images/i/members", {"member": 1}, set()),
        ("image", "/v2/images/i/members", {"x": {"y": B}}, set()),
    ],
)
def test_what_a_body_names(service: str, target: str, body: Any, named: set[str]) -> None:
    found = share(service, target)
    assert found is not None
    assert found.in_body(body) == named
