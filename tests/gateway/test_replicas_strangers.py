"""What a user of another project can put on record must not come between the users of public resources and these."""

import json
import uuid
from typing import Any, Final

import pytest
from tests.gateway.replicated import NETWORKS, RIVAL, World, network, send
from tests.gateway.wire import TOKEN, Answer, ask, reply

from openstackoid.core.partial import read_members

TWO: Final = "CloudOne & CloudTwo"
SUBNETS: Final = "/v2.0/subnets"
IMAGES: Final = "/v2/images"


def adopted(trio: World, name: str, token: str) -> dict[str, str]:
    """A public network of CloudOne, which everybody sees, beside one of CloudTwo; a replica of whose token it is."""
    members = {"CloudOne": f"{name}-public", "CloudTwo": f"{name}-other"}
    for cloud, member in members.items():
        trio.states[cloud].things[NETWORKS][member] = {"id": member, "name": name}
    wish = json.dumps({"kind": "network", "members": members}).encode()
    answer = ask(trio.gateway.url("image"), "/openstackoid/v1/replicas", method="POST", body=wish, token=token)
    assert answer.status == 201, answer.body
    return members


def subnet(trio: World, name: str, network_id: str) -> Answer:
    document: dict[str, Any] = {"name": name, "network_id": network_id, "cidr": "10.0.0.0/24", "ip_version": 4}
    return send(trio, "POST", SUBNETS, {"subnet": document}, TWO)


def test_an_adopted_network_of_a_stranger_does_not_get_what_others_create(trio: World) -> None:
    members = adopted(trio, "lured", RIVAL)
    answer = subnet(trio, "ours-in-lured", members["CloudOne"])
    assert (answer.status, answer.code) == (409, "replica.reference")
    assert members["CloudTwo"] not in answer.error
    assert trio.where(SUBNETS, "ours-in-lured") == []


def test_an_adopted_network_of_a_stranger_is_not_shown_for_a_public_one(trio: World) -> None:
    members = adopted(trio, "shown", RIVAL)
    path = f"{NETWORKS}/{members['CloudOne']}"
    answer = send(trio, "GET", path, clouds=TWO)
    assert (answer.status, answer.get("X-Scope-Cloud"), answer.get("X-Scope-Replica")) == (200, "CloudOne", None)
    trio.fail("CloudOne", "GET", reply(503, {}), times=4)
    answer = send(trio, "GET", path, clouds=TWO)
    assert answer.status != 200
    assert members["CloudTwo"].encode() not in answer.body


def test_an_adopted_network_of_a_stranger_hides_none_of_that_name(trio: World) -> None:
    adopted(trio, "twice", RIVAL)
    answer = send(trio, "GET", f"{NETWORKS}?name=twice", clouds=TWO)
    assert len(answer.json["networks"]) == 2


def test_an_adopted_network_counts_for_its_own_project(trio: World) -> None:
    members = adopted(trio, "own", TOKEN)
    assert subnet(trio, "ours-in-own", members["CloudOne"]).status == 201
    (there,) = trio.states["CloudTwo"].named(SUBNETS, "ours-in-own")
    assert there["network_id"] == members["CloudTwo"]
    assert len(send(trio, "GET", f"{NETWORKS}?name=own", clouds=TWO).json["networks"]) == 1
    trio.fail("CloudOne", "GET", reply(503, {}))
    shown = send(trio, "GET", f"{NETWORKS}/{members['CloudOne']}", clouds=TWO)
    assert (shown.status, shown.get("X-Scope-Cloud")) == (200, "CloudTwo")


def test_a_strangers_image_hides_none_whose_id_it_took(trio: World) -> None:
    """Glance lets a user choose an image's id: also one that a public image of another cloud has."""
    taken = str(uuid.uuid4())
    trio.states["CloudOne"].things[IMAGES][taken] = {"id": taken, "name": "public"}
    made = send(trio, "POST", IMAGES, {"id": taken, "name": "theirs"}, "CloudTwo & CloudThree", token=RIVAL)
    assert made.status == 201, made.body
    for cloud in ("CloudTwo", "CloudThree"):
        trio.fail(cloud, "GET", reply(404, {}), times=9)  # it is private
    answer = send(trio, "GET", f"{IMAGES}/{taken}")
    assert (answer.status, answer.get("X-Scope-Cloud")) == (200, "CloudOne")
    assert answer.json["name"] == "public"


@pytest.mark.parametrize("token", [TOKEN, RIVAL])
def test_what_an_operator_creates_in_all_clouds_counts_for_every_project(trio: World, token: str) -> None:
    name = f"common-{token[-4:]}"
    members = read_members(str(network(trio, name, TWO, token=token).get("X-Scope-Replicas")))
    assert subnet(trio, f"in-{name}", members["CloudOne"]).status == 201
    (there,) = trio.states["CloudTwo"].named(SUBNETS, f"in-{name}")
    assert there["network_id"] == members["CloudTwo"]
