"""A cloud that answers rubbish, holds what it is asked for, or lies about its own: it harms nobody but itself."""

import threading
from typing import Any, Final

import pytest
from tests.gateway.replicated import NAMES, NETWORKS, World, network, send
from tests.gateway.test_copies import DATA, IMAGES, ORIGIN, begin, copied, image, show
from tests.gateway.wire import PROJECT, Seen, reply, until

from openstackoid.core.partial import read_members
from openstackoid.gateway.replicas.doubts import Doubts

SUBNETS: Final = "/v2.0/subnets"


def test_a_cloud_that_refuses_an_update_does_not_decide_what_others_get(trio: World) -> None:
    """It may set its own time to any year; only what the user wrote reaches the others, and not after a repair either."""
    networks = read_members(str(network(trio, "hostile-net").get("X-Scope-Replicas")))
    document: dict[str, Any] = {"name": "before", "network_id": networks["CloudOne"], "cidr": "10.0.0.0/24"}
    made = send(trio, "POST", SUBNETS, {"subnet": document | {"ip_version": 4, "dns_nameservers": ["9.9.9.9"]}})
    members = read_members(str(made.get("X-Scope-Replicas")))
    for cloud, member in members.items():
        trio.states[cloud].things[SUBNETS][member]["updated_at"] = "2030-01-01T00:00:00Z"
    lies = {"updated_at": "9999-01-01T00:00:00Z", "dns_nameservers": ["6.6.6.6"]}
    trio.states["CloudThree"].things[SUBNETS][members["CloudThree"]] |= lies
    trio.fail("CloudThree", "PUT", reply(409, {}), times=2)
    answer = send(trio, "PUT", f"{SUBNETS}/{members['CloudOne']}", {"subnet": {"name": "after"}})
    assert answer.code == "replica.refused"
    until(lambda: not Doubts(trio.store.database).due(10))
    assert trio.where(SUBNETS, "after") == list(NAMES)
    for cloud in NAMES[:2]:
        (kept,) = trio.states[cloud].named(SUBNETS, "after")
        assert kept["dns_nameservers"] == ["9.9.9.9"]


@pytest.mark.parametrize("images", [5, "images", {"0": {}}, {"a": 1, "b": 2}, True, [1], [[]]])
def test_a_list_of_images_that_is_none_is_refused(trio: World, images: Any) -> None:
    trio.fail(ORIGIN, "GET", reply(200, {"images": images}))
    answer = begin(trio, "any", "CloudOne")
    assert answer.code in {"copy.image", "replica.request"}


def test_fields_of_an_image_that_glance_does_not_show_are_left_out(trio: World) -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    image(trio, "odd", tags=deep, min_ram={"a": 1}, os_type=["linux"])
    assert copied(trio, "odd", "CloudOne")["CloudOne"]["state"] == "copied"
    (copy,) = trio.states["CloudOne"].named(IMAGES, "odd")
    assert not copy.keys() & {"tags", "min_ram", "os_type"}


def owner(trio: World, copy: str) -> str:
    operation = trio.store.get(f"{PROJECT}/u", copy)
    assert operation is not None
    return operation.owner


def test_a_copy_whose_data_does_not_come_holds_up_no_other_operation(trio: World) -> None:
    identifier = image(trio, "slow")
    away, asked, go_on = [False], threading.Event(), threading.Event()

    def half(seen: Seen, _name: str) -> bytes | None:
        away[0] |= seen.method == "PUT" and seen.target.endswith("/file")
        return reply(503, {}) if away[0] else None

    def hold(seen: Seen, _name: str) -> bytes | None:
        if seen.target == f"{IMAGES}/{identifier}/file":
            asked.set()
            go_on.wait(50)
        return None

    trio.states["CloudOne"].before = half
    try:
        copy = begin(trio, "slow", "CloudOne").json["copy"]["id"]
        first = owner(trio, copy)
        until(lambda: owner(trio, copy) != first)  # its first run is over
        trio.states[ORIGIN].before = hold
        trio.states["CloudOne"].before = lambda _seen, _name: None
        assert asked.wait(50), "a gateway has taken the copy up again"
        members = read_members(str(network(trio, "first").get("X-Scope-Replicas")))
        trio.fail("CloudThree", "PUT", reply(503, {}))
        changed = send(trio, "PUT", f"{NETWORKS}/{members['CloudOne']}", {"network": {"name": "second"}})
        assert str(changed.get("X-Scope-Missing")).startswith("CloudThree")
        until(lambda: trio.where(NETWORKS, "second") == list(NAMES))
        assert not show(trio, copy).json["copy"]["done"]
    finally:
        go_on.set()
    until(lambda: show(trio, copy).json["copy"]["done"])
    (done,) = trio.states["CloudOne"].named(IMAGES, "slow")
    assert trio.states["CloudOne"].data[done["id"]] == DATA
