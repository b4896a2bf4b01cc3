"""What clients find by name under `&` and `|`: a replica once, by raw requests and by openstacksdk."""

import json
from typing import Any

import openstack.exceptions
import pytest
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from openstack.connection import Connection
from tests.gateway.replicated import ALL, NETWORKS, World
from tests.gateway.wire import TOKEN, ask, reply, scope

_TWO = "CloudTwo & CloudThree"


def made(trio: World, kind: str, expression: str, document: object) -> None:
    service, path = {"network": ("network", NETWORKS), "image": ("image", "/v2/images")}[kind]
    given = scope(**{service: expression}) | {"Content-Type": "application/json"}
    answer = ask(trio.gateway.url(service), path, given, method="POST", body=json.dumps(document).encode())
    assert answer.status == 201, answer.body


def connection(trio: World, service: str, expression: str, **more: str) -> Connection:
    url = trio.gateway.url(service) + {"network": "/v2.0", "image": "/v2", "compute": "/v2.1"}[service]
    version = {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": url}]}
    for cloud in trio.clouds.values():
        cloud[service].on(url.removeprefix(trio.gateway.url(service)), reply(200, {"version": version}))
    session = Session(auth=Token(url, TOKEN), additional_headers=scope(**{service: expression}) | more)
    given: dict[str, Any] = {f"{service}_endpoint_override": url, f"{service}_api_version": "2"}
    return Connection(session=session, oslo_conf=None, **given)


def test_a_replica_is_one_item_of_a_list_by_name(trio: World) -> None:
    made(trio, "network", ALL, {"network": {"name": "folded"}})
    base = trio.gateway.url("network")
    answer = ask(base, f"{NETWORKS}?name=folded", scope(network=ALL))
    assert [network["name"] for network in answer.json["networks"]] == ["folded"]
    assert answer.get("X-Scope-Items") == "CloudOne;0"  # the entry's member stands for all
    answer = ask(base, f"{NETWORKS}?name=folded", scope(network=_TWO))
    assert answer.get("X-Scope-Items") in {"CloudThree;0", "CloudTwo;0"}
    # A list that looks for nothing has every member.
    whole = ask(base, NETWORKS, scope(network=ALL)).json["networks"]
    assert [network["name"] for network in whole].count("folded") == 3
    # A network of the same name that is no member is another one.
    other = ask(base, NETWORKS, scope(network="CloudTwo"), method="POST", body=b'{"network": {"name": "folded"}}')
    assert other.status == 201
    answer = ask(base, f"{NETWORKS}?name=folded", scope(network=ALL))
    assert {network["id"] for network in answer.json["networks"]} > {other.json["network"]["id"]}
    assert len(answer.json["networks"]) == 2
    # Under | the first that has one.
    answer = ask(base, f"{NETWORKS}?name=folded", scope(network="CloudThree | CloudTwo"))
    assert len(answer.json["networks"]) == 1


def test_openstacksdk_finds_a_replica_by_its_name(trio: World) -> None:
    made(trio, "network", ALL, {"network": {"name": "by-name"}})
    made(trio, "image", _TWO, {"name": "by-name", "disk_format": "raw", "container_format": "bare"})
    with connection(trio, "network", ALL) as networks:
        found = networks.network.find_network("by-name", ignore_missing=False)
        assert found.id in trio.states["CloudOne"].things[NETWORKS]
        networks.network.delete_network(found.id)
    assert trio.where(NETWORKS, "by-name") == []
    with connection(trio, "image", ALL) as images:
        assert images.image.find_image("by-name", ignore_missing=False).name == "by-name"
    for cloud in ("CloudOne", "CloudTwo"):
        answer = ask(
            trio.gateway.url("network"),
            NETWORKS,
            scope(network=cloud),
            method="POST",
            body=b'{"network": {"name": "two"}}',
        )
        assert answer.status == 201
    with connection(trio, "network", ALL) as networks, pytest.raises(openstack.exceptions.DuplicateResource):
        networks.network.find_network("two", ignore_missing=False)
    with connection(trio, "network", "CloudTwo | CloudOne") as networks:
        assert networks.network.find_network("two", ignore_missing=False).id in trio.states["CloudTwo"].things[NETWORKS]


def test_one_of_each_name_stands_for_all_on_request(trio: World) -> None:
    """What each cloud has had before, under ids of its own: images, flavors, networks."""
    things = {NETWORKS: "nets", "/v2/images": "images", "/v2.1/flavors": "flavors"}
    for cloud, state in trio.states.items():
        for path, name in things.items():
            state.things[path][f"{name}-{cloud}"] = {"id": f"{name}-{cloud}", "name": name}
    by_name = {"X-Scope-Match": "name"}
    network, compute = trio.gateway.url("network"), trio.gateway.url("compute")
    (one,) = ask(network, f"{NETWORKS}?name=nets", scope(network=ALL) | by_name).json["networks"]
    assert one["id"] == "nets-CloudOne"
    assert len(ask(network, f"{NETWORKS}?name=nets", scope(network=ALL)).json["networks"]) == 3
    # Nova has no search for a flavor's name; clients ask for its id first.
    shown = ask(compute, "/v2.1/flavors/flavors", scope(compute=ALL) | by_name)
    assert (shown.status, shown.json["flavor"]["id"], shown.get("X-Scope-Cloud")) == (
        200,
        "flavors-CloudOne",
        "CloudOne",
    )
    assert ask(compute, "/v2.1/flavors/flavors", scope(compute=ALL)).status == 404
    assert ask(compute, "/v2.1/flavors/none", scope(compute=ALL) | by_name).status == 404
    server = {"imageRef": "images-CloudOne", "flavorRef": "flavors-CloudOne", "networks": [{"uuid": "nets-CloudOne"}]}
    body = json.dumps({"server": {"name": "by-name"} | server}).encode()
    given = scope(compute=ALL, image=ALL) | by_name | {"Content-Type": "application/json"}
    answer = ask(compute, "/v2.1/servers", given, method="POST", body=body)
    assert answer.status in {201, 202}, answer.body
    for cloud, state in trio.states.items():
        (made_there,) = state.named("/v2.1/servers", "by-name")
        named = (made_there["imageRef"], made_there["flavorRef"], made_there["networks"][0]["uuid"])
        assert named == (f"images-{cloud}", f"flavors-{cloud}", f"nets-{cloud}")
    with connection(trio, "network", ALL, **by_name) as networks:
        assert networks.network.find_network("nets", ignore_missing=False).id == "nets-CloudOne"
    with connection(trio, "image", ALL, **by_name) as images:
        assert images.image.find_image("images", ignore_missing=False).id == "images-CloudOne"
    with connection(trio, "compute", ALL, **by_name) as computes:
        assert computes.compute.find_flavor("flavors", ignore_missing=False).id == "flavors-CloudOne"
    # Two of the name in one cloud: which one is meant is not certain.
    for path, name in things.items():
        trio.states["CloudTwo"].things[path]["second"] = {"id": "second", "name": name}
    assert len(ask(network, f"{NETWORKS}?name=nets", scope(network=ALL) | by_name).json["networks"]) == 4
    assert ask(compute, "/v2.1/flavors/flavors", scope(compute=ALL) | by_name).status == 404
    refused = ask(compute, "/v2.1/servers", given, method="POST", body=body)
    assert (refused.status, refused.code) == (409, "replica.reference")
    assert "in CloudTwo, got 2" in refused.error


def test_an_id_of_several_clouds_is_of_the_entry_cloud_on_request(trio: World) -> None:
    for state in trio.states.values():
        state.things["/v2.1/flavors"]["1"] = {"id": "1", "name": "tiny"}
    compute = trio.gateway.url("compute")
    assert ask(compute, "/v2.1/flavors/1", scope(compute=ALL)).code == "scope.ambiguous"
    shown = ask(compute, "/v2.1/flavors/1", scope(compute=ALL) | {"X-Scope-Match": "name"})
    assert (shown.status, shown.get("X-Scope-Cloud")) == (200, "CloudOne")
    # It is not remembered for those who do not ask for it.
    assert ask(compute, "/v2.1/flavors/1", scope(compute=ALL)).code == "scope.ambiguous"
