"""Kinds of oaktree are read from openstacksdk's classes: their names, verbs, parents and types."""

import re
from typing import Any

import pytest
from tools.definitions.choosing import catalog_type, field_type
from tools.definitions.classes import Attribute, read, snake
from tools.definitions.tables import STRUCT


def test_every_public_class_has_one_kind() -> None:
    kinds = {found.kind: found for found in read()}
    assert len(kinds) > 360
    assert kinds["block_storage.volume"].sdk_class == "openstack.block_storage.v3.volume.Volume"
    assert kinds["block_storage.v2.volume"].sdk_class == "openstack.block_storage.v2.volume.Volume"
    assert kinds["identity.tenant"].sdk_class == "openstack.identity.v2.tenant.Tenant"
    assert all(re.fullmatch(r"[a-z_]+(\.v\d+)?\.[a-z0-9_]+", kind) for kind in kinds)
    assert not [found.sdk_class for found in kinds.values() if "._" in found.sdk_class]


def test_verbs_are_the_classs_own() -> None:
    kinds = {found.kind: set(found.verbs) for found in read()}
    assert kinds["compute.server"] == {"list", "get", "create", "update", "delete"}
    assert kinds["compute.availability_zone"] == {"list"}
    assert kinds["compute.quota"] == {"get", "update", "delete"}


def test_parts_of_a_path_are_parents() -> None:
    parents = {found.kind: {a.name: a.wire for a in found.attributes if a.parent} for found in read()}
    assert parents["dns.recordset"] == {"zone_id": "zone_id"}
    assert parents["load_balancer.l7_rule"] == {"l7_policy_id": "l7policy_id"}
    # The class has no attribute for it.
    assert parents["network.network_hosting_dhcp_agent"] == {"network_id": "network_id"}
    # It is no part of `/stacks`, though the class says URI.
    assert parents["orchestration.stack"] == {}
    assert parents["compute.server"] == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("FloatingIP", "floating_ip"),
        ("QoSDSCPMarkingRule", "qos_dscp_marking_rule"),
        ("L7Policy", "l7_policy"),
        ("VpnIPSecSiteConnection", "vpn_ipsec_site_connection"),
        ("RouterL3Agent", "router_l3_agent"),
        ("TLD", "tld"),
    ],
)
def test_names_of_kinds(name: str, expected: str) -> None:
    assert snake(name) == expected


@pytest.mark.parametrize(
    ("attribute", "field", "catalog"),
    [
        ({"declared": int}, "int64", "int"),
        ({"declared": dict}, STRUCT, "object"),
        ({"declared": list}, "google.protobuf.ListValue", "list"),
        ({"declared": list, "element": dict}, f"repeated {STRUCT}", "list"),
        ({"declared": list, "element": str}, "repeated string", "list"),
        ({"said": "bool"}, "bool", "bool"),
        ({"said": "datetime object parsed from iso 8601 formatted string"}, "string", "string"),
        ({"said": "list of strs of the subnet ids"}, "repeated string", "list"),
        ({}, "string", "any"),
        ({"parent": True}, "string", "string"),
        ({"declared": bool, "said": "dict"}, "bool", "bool"),
    ],
)
def test_types_are_chosen(attribute: dict[str, Any], field: str, catalog: str) -> None:
    made = Attribute("thing", "thing", "body", **attribute)
    assert field_type("some.kind", made) == field
    assert catalog_type("some.kind", made, typed=False) == catalog
