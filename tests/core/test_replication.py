"""What can be replicated, how it is marked, and what a request names."""

from typing import Any

import pytest

from openstackoid.core.errors import NotReplicableError
from openstackoid.core.partial import read_members, write_members
from openstackoid.core.replication import KINDS, Mark, kind_named, refusal, thing_at
from openstackoid.core.replication.comparing import to_create
from openstackoid.core.replication.marking import KEY, carriers, created_id, marked, own_id_of, search, unmarked
from openstackoid.core.replication.references import check, references, replaced

SERVER: dict[str, Any] = {
    "server": {
        "name": "web",
        "imageRef": "image-a",
        "flavorRef": "1",
        "key_name": "mine",
        "networks": [{"uuid": "net-a"}, {"port": "port-a"}, {"fixed_ip": "10.0.0.1"}],
        "security_groups": [{"name": "web"}],
        "block_device_mapping_v2": [
            {"source_type": "image", "uuid": "image-b"},
            {"source_type": "volume", "uuid": "volume-a"},
            {"source_type": "blank"},
        ],
    }
}


@pytest.mark.parametrize(
    ("service", "path", "expected"),
    [
        ("network", "/v2.0/networks", ("network.network", None, "")),
        ("network", "/v2.0/networks/", ("network.network", None, "")),
        ("network", "/v2.0/security-group-rules/x", ("network.security-group-rule", "x", "")),
        ("network", "/v2.0/networks/x/tags/y", ("network.network", "x", "/tags/y")),
        ("image", "/v2/images/x/file", ("image.image", "x", "/file")),
        ("compute", f"/v2.1/{'a' * 32}/servers/x", ("compute.server", "x", "")),
        ("block-storage", f"/v3/{'a' * 32}/volumes", ("block-storage.volume", None, "")),
        ("compute", "/v2.1/servers/detail", ("compute.server", "detail", "")),
        ("compute", "/v2.1/os-server-groups", None),
        ("network", "/v2/images", None),
    ],
)
def test_a_path_is_about_a_kind(service: str, path: str, expected: tuple[str, str | None, str] | None) -> None:
    thing = thing_at(service, path)
    assert (thing and (thing.kind.name, thing.id, thing.rest)) == expected


def test_every_kind_is_marked_found_and_has_a_way_back() -> None:
    for kind in KINDS:
        inner = {"name": "n", "description": "d"}
        document = {kind.item: inner} if kind.item else inner
        made = marked(kind, document, "op.0", "own")
        assert document == ({kind.item: {"name": "n", "description": "d"}} if kind.item else inner)
        own_id = own_id_of(kind, made)
        shown = {"id": "x", **(made[kind.item] if kind.item else made)}
        listed = {kind.item: shown} if kind.item else shown
        answer = listed if own_id is not None else {kind.items: [shown, {"id": "other"}]}
        expected = {Mark.OWN_ID: "own", Mark.NAME: "n"}.get(kind.mark, "x")
        assert carriers(kind, answer, "op.0", own_id) == [expected]
        assert search(kind, "/list", "op.0", own_id).startswith("/list")
        assert created_id(kind, listed) == ("n" if kind.mark is Mark.NAME else shown["id"])
        right = {kind.item: {"description": "d"}} if kind.mark is Mark.DESCRIPTION else None
        assert unmarked(kind, document) == right


def test_an_answer_without_the_mark_is_nothing() -> None:
    kind = kind_named("network.network")
    assert carriers(kind, {"networks": [{"id": "a", "description": f"{KEY}=op.1"}, {"id": "b"}, 7]}, "op.0", None) == []
    forms: tuple[Any, ...] = ([], None, {"networks": "x"}, 3)
    for odd in forms:
        assert carriers(kind, odd, "op.0", None) is None
        assert created_id(kind, odd) is None


def test_an_id_that_the_client_chose_stays() -> None:
    flavor = kind_named("compute.flavor")
    assert marked(flavor, {"flavor": {"id": "7"}}, "op.0", "own")["flavor"]["id"] == "7"
    for given in ("auto", "", None):
        assert marked(flavor, {"flavor": {"id": given}}, "op.0", "own")["flavor"]["id"] == "own"


def test_references_are_found_and_replaced_in_a_copy() -> None:
    kind = kind_named("compute.server")
    found = references(kind, SERVER)
    assert set(found) == {
        ("image.image", "image-a"),
        ("image.image", "image-b"),
        ("compute.flavor", "1"),
        ("compute.keypair", "mine"),
        ("network.network", "net-a"),
        ("network.port", "port-a"),
        ("network.security-group", "web"),
        ("block-storage.volume", "volume-a"),
    }
    there = replaced(kind, SERVER, {named: f"there-{named[1]}" for named in found})
    assert references(kind, there) == [(kind, f"there-{value}") for kind, value in found]
    assert references(kind, SERVER) == found
    assert there["server"]["networks"][2] == {"fixed_ip": "10.0.0.1"}


@pytest.mark.parametrize("networks", ["auto", "none", None, [None], [{"uuid": 7}], {"uuid": "x"}])
def test_words_and_odd_forms_are_no_references(networks: Any) -> None:
    assert references(kind_named("compute.server"), {"server": {"networks": networks}}) == []


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("network.network", {"networks": [{}]}),
        ("network.network", {"network": []}),
        ("network.network", 3),
        ("image.image", []),
        ("compute.keypair", {"keypair": {"name": "x"}}),
        ("compute.server", {"server": {"max_count": 3}}),
        ("block-storage.volume", {"volume": {"snapshot_id": "x"}}),
    ],
)
def test_what_is_not_of_one_resource_is_refused(kind: str, document: Any) -> None:
    with pytest.raises(NotReplicableError, match="Expected"):
        check(kind_named(kind), document)


def test_what_is_refused_says_why() -> None:
    assert "console" in refusal("compute", "POST", "/v2.1/servers/x/remote-consoles")
    assert "one cloud" in refusal("identity", "POST", "/v3/users")
    assert "no create" in refusal("network", "POST", "/v2.0/odd")


def test_members_in_a_header_come_back() -> None:
    members = {"CloudOne": "a, b;id=c", "CloudTwo": "key é"}
    headers = write_members("r", members)
    assert read_members(headers["X-Scope-Replicas"]) == members
    assert headers["X-Scope-Replicas"].isascii()
    assert "X-Scope-Replicas" not in write_members("r", {f"C{number}": "i" * 36 for number in range(500)})


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ({"gateway_ip": None}, {"gateway_ip": None}),  # without the field Neutron would choose a gateway
        ({"gateway_ip": "10.0.0.1"}, {"gateway_ip": "10.0.0.1"}),
        ({}, {}),
    ],
)
def test_a_lost_subnet_is_created_with_the_gateway_that_it_had_or_with_none(gateway: Any, expected: Any) -> None:
    shown = {"id": "s", "name": "a", "cidr": "10.0.0.0/24", "network_id": "n", "ip_version": 4, "description": None}
    kept = {"name": "a", "cidr": "10.0.0.0/24", "network_id": "n", "ip_version": 4}
    assert to_create(kind_named("network.subnet"), shown | gateway) == {"subnet": kept | expected}
