"""Members of replicas: shown, changed and deleted together, named in later requests, and on record."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.replicated import ALL, NAMES, NETWORKS, SERVERS, STRANGER, World, network, send
from tests.gateway.stateful import LOST
from tests.gateway.wire import PROJECT, TOKEN, Answer, Seen, ask, reply, scope, until

from openstackoid.core.partial import read_members
from openstackoid.operations.stages import Stage


def test_show_update_and_delete_of_a_member_reach_all(trio: World) -> None:
    members = read_members(str(network(trio, "whole").get("X-Scope-Replicas")))
    path = f"{NETWORKS}/{members['CloudTwo']}"
    shown = send(trio, "GET", path)
    assert (shown.json["network"]["id"], shown.get("X-Scope-Cloud")) == (members["CloudTwo"], "CloudTwo")
    assert read_members(str(shown.get("X-Scope-Replicas"))) == members
    changed = send(trio, "PUT", path, {"network": {"name": "renamed"}})
    assert (changed.status, changed.json["network"]["id"]) == (200, members["CloudOne"])
    assert trio.where(NETWORKS, "renamed") == list(NAMES)
    deleted = send(trio, "DELETE", path)
    assert deleted.status == 204, deleted.body
    assert trio.where(NETWORKS, "renamed") == []
    assert trio.replicas("network.network", members["CloudTwo"]) == []


def test_a_show_goes_to_another_member_if_the_cloud_fails(trio: World) -> None:
    members = read_members(str(network(trio, "shown").get("X-Scope-Replicas")))
    trio.fail("CloudTwo", "GET", reply(503, {}))
    shown = send(trio, "GET", f"{NETWORKS}/{members['CloudTwo']}")
    assert (shown.status, shown.get("X-Scope-Cloud")) == (200, "CloudOne")
    assert shown.json["network"]["id"] == members["CloudOne"]


def test_a_change_that_the_first_cloud_refuses_changes_nothing(trio: World) -> None:
    members = read_members(str(network(trio, "same").get("X-Scope-Replicas")))
    trio.fail("CloudOne", "PUT", reply(400, {"error": {"message": "bad"}}))
    answer = send(trio, "PUT", f"{NETWORKS}/{members['CloudTwo']}", {"network": {"name": "other"}})
    assert answer.status == 400
    assert (trio.where(NETWORKS, "same"), trio.where(NETWORKS, "other")) == (list(NAMES), [])


def test_a_change_reaches_a_cloud_that_was_away_in_the_order_of_the_changes(trio: World) -> None:
    members = read_members(str(network(trio, "v0").get("X-Scope-Replicas")))
    path, away = f"{NETWORKS}/{members['CloudOne']}", [True]

    def rule(seen: Seen, _name: str) -> bytes | None:
        return reply(503, {}) if away[0] and seen.method in {"PUT", "DELETE"} else None

    trio.states["CloudThree"].before = rule
    for name in ("v1", "v2"):
        answer = send(trio, "PUT", path, {"network": {"name": name}})
        assert answer.status == 200, answer.body
        assert str(answer.get("X-Scope-Missing")).startswith("CloudThree;code=")
    assert (trio.where(NETWORKS, "v2"), trio.where(NETWORKS, "v0")) == (["CloudOne", "CloudTwo"], ["CloudThree"])
    away[0] = False
    until(lambda: trio.where(NETWORKS, "v2") == list(NAMES))
    away[0] = True
    assert send(trio, "DELETE", path).status == 204
    assert trio.where(NETWORKS, "v2") == ["CloudThree"]
    away[0] = False
    until(lambda: trio.where(NETWORKS, "v2") == [])
    until(lambda: trio.replicas("network.network", members["CloudOne"]) == [])


def test_another_project_has_no_part_in_a_replica(trio: World) -> None:
    members = read_members(str(network(trio, "mine").get("X-Scope-Replicas")))
    answer = send(trio, "DELETE", f"{NETWORKS}/{members['CloudTwo']}", token=STRANGER)
    # The cloud itself would refuse; the replica is not the stranger's, so only the cloud that has the id was asked.
    assert answer.status == 204
    assert trio.where(NETWORKS, "mine") == ["CloudOne", "CloudThree"]
    assert len(trio.replicas("network.network", members["CloudOne"])) == 1


def test_ids_of_members_are_replaced_in_later_requests(trio: World) -> None:
    members = read_members(str(network(trio, "base").get("X-Scope-Replicas")))
    subnet = {"subnet": {"name": "sub", "network_id": members["CloudThree"], "cidr": "10.0.0.0/24", "ip_version": 4}}
    assert send(trio, "POST", "/v2.0/subnets", subnet).status == 201
    for cloud, state in trio.states.items():
        assert state.named("/v2.0/subnets", "sub")[0]["network_id"] == members[cloud]


def test_what_is_no_replica_is_refused_before_anything_is_created(trio: World) -> None:
    subnet = {"subnet": {"name": "nowhere", "network_id": "1" * 32}}
    answer = send(trio, "POST", "/v2.0/subnets", subnet)
    assert (answer.status, answer.code) == (409, "replica.reference")
    assert "X-Scope-Match: name" in answer.error
    assert trio.where("/v2.0/subnets", "nowhere") == []


def test_things_of_the_same_name_stand_for_each_other_on_request(trio: World) -> None:
    for number, state in enumerate(trio.states.values()):
        state.things[NETWORKS][f"public-{number}"] = {"id": f"public-{number}", "name": "public"}
    subnet = {"subnet": {"name": "by-name", "network_id": "public-1"}}
    assert send(trio, "POST", "/v2.0/subnets", subnet, X_Scope_Match="name").status == 201
    assert [state.named("/v2.0/subnets", "by-name")[0]["network_id"] for state in trio.states.values()] == [
        "public-0",
        "public-1",
        "public-2",
    ]


def test_an_image_has_one_id_in_all_clouds_and_boots_in_each(trio: World) -> None:
    image = send(trio, "POST", "/v2/images", {"name": "cirros"})
    assert image.status == 201, image.body
    assert set(read_members(str(image.get("X-Scope-Replicas"))).values()) == {image.json["id"]}
    for method, path, body in (("GET", f"/v2/images/{image.json['id']}", None),):
        assert send(trio, method, path, body).json["id"] == image.json["id"]
    key = {"keypair": {"name": "mine", "public_key": "ssh-ed25519 AAAA"}}
    assert send(trio, "POST", "/v2.1/os-keypairs", key).status == 201
    flavor = send(trio, "POST", "/v2.1/flavors", {"flavor": {"name": "f", "ram": 1, "vcpus": 1, "disk": 1}}).json
    server = {
        "server": {"name": "web", "imageRef": image.json["id"], "flavorRef": flavor["flavor"]["id"], "key_name": "mine"}
    }
    given = scope(compute=ALL, image=ALL) | {"Content-Type": "application/json"}
    made = ask(trio.gateway.url("compute"), "/v2.1/servers", given, method="POST", body=json.dumps(server).encode())
    assert made.status == 201, made.body
    assert trio.where("/v2.1/servers", "web") == list(NAMES)
    again = send(trio, "POST", "/v2.1/os-keypairs", key)
    assert (again.status, again.code) == (409, "replica.refused")
    assert "has compute.keypair mine already" in again.error


@pytest.mark.parametrize(
    ("path", "document", "status", "code"),
    [
        (NETWORKS, {"networks": [{"name": "a"}, {"name": "b"}]}, 400, "replica.request"),
        (NETWORKS, [], 400, "replica.request"),
        ("/v2.1/os-keypairs", {"keypair": {"name": "k"}}, 400, "replica.request"),
        ("/v2.1/servers", {"server": {"name": "s", "min_count": 2}}, 400, "replica.request"),
        ("/v2.0/floatingips", {"floatingip": {}}, 501, "scope.operators"),
        ("/v2.1/os-server-groups", {"server_group": {}}, 501, "scope.operators"),
    ],
)
def test_what_cannot_be_replicated_is_refused(trio: World, path: str, document: Any, status: int, code: str) -> None:
    before = {name: json.dumps(state.things) for name, state in trio.states.items()}
    answer = send(trio, "POST", path, document)
    assert (answer.status, answer.code) == (status, code)
    assert before == {name: json.dumps(state.things) for name, state in trio.states.items()}


@pytest.mark.parametrize(
    "header", [{"X_Scope_On_Failure": "hope"}, {"X_Scope_Match": "id"}, {"Idempotency_Key": "a b"}]
)
def test_a_malformed_wish_is_refused(trio: World, header: dict[str, str]) -> None:
    answer = network(trio, "wish", **header)
    assert (answer.status, answer.code) == (400, "request.malformed")


def test_a_thing_that_one_cloud_has_is_changed_there(trio: World) -> None:
    trio.states["CloudTwo"].things[NETWORKS]["9" * 32] = {"id": "9" * 32, "name": "alone"}
    for clouds in (ALL, "CloudOne | CloudTwo", "CloudOne | Dead | CloudTwo"):
        answer = send(trio, "PUT", f"{NETWORKS}/{'9' * 32}", {"network": {"name": clouds}}, clouds)
        assert answer.status == 200, answer.body
        assert trio.where(NETWORKS, clouds) == ["CloudTwo"]
    assert send(trio, "DELETE", f"{NETWORKS}/{'9' * 32}").status == 204
    assert send(trio, "DELETE", f"{NETWORKS}/{'9' * 32}").status == 404


def test_an_alternative_is_tried_only_if_the_first_surely_has_not_received_it(trio: World) -> None:
    answer = network(trio, "one-of", "Dead | CloudTwo")
    assert (answer.status, trio.where(NETWORKS, "one-of")) == (201, ["CloudTwo"])
    trio.fail("CloudTwo", "POST", LOST, after=True)
    lost = network(trio, "maybe", "CloudTwo | CloudThree")
    assert lost.status == 502
    assert trio.where(NETWORKS, "maybe") == ["CloudTwo"]
    trio.fail("CloudTwo", "POST", reply(503, {}))
    assert network(trio, "busy", "CloudTwo | CloudThree").status == 503
    assert trio.where(NETWORKS, "busy") == []


def test_one_cloud_under_an_operator_gets_the_request_as_it_is(trio: World) -> None:
    answer = network(trio, "plain", "CloudTwo & CloudTwo")
    assert (answer.status, answer.get("X-Scope-Replica")) == (201, None)
    assert trio.where(NETWORKS, "plain") == ["CloudTwo"]


def test_stages_on_record_say_what_is_where(trio: World) -> None:
    answer = network(trio, "record", Idempotency_Key="record")
    assert answer.status == 201
    operation = trio.store.get(f"{PROJECT}/u", "record")
    assert operation is not None
    assert {part.cloud: part.stage for part in operation.parts} == dict.fromkeys(NAMES, Stage.DONE)
    assert operation.sealed is None
    assert Path(trio.store.database.file or "").stat().st_mode & 0o077 == 0


def test_a_project_sees_checks_and_forgets_its_replicas(trio: World) -> None:
    answer = network(trio, "listed")
    members, name = read_members(str(answer.get("X-Scope-Replicas"))), str(answer.get("X-Scope-Replica"))
    shown = [{"cloud": cloud, "id": member} for cloud, member in sorted(members.items())]

    def asked(method: str, query: str = "", token: str = TOKEN) -> Answer:
        return ask(trio.gateway.url("image"), f"/openstackoid/v1/replicas{query}", method=method, token=token)

    newest = asked("GET").json["replicas"][0]
    assert (newest["id"], newest["kind"], newest["members"]) == (name, "network.network", shown)
    with trio.states["CloudTwo"].lock:
        del trio.states["CloudTwo"].things[NETWORKS][members["CloudTwo"]]
    trio.fail("CloudThree", "GET", reply(403, {}))
    checked = asked("GET", f"?id={name}&check=1").json["replica"]["members"]
    states = {member["cloud"]: member["state"] for member in checked}
    assert states == {"CloudOne": "there", "CloudTwo": "missing", "CloudThree": "status.403"}
    assert asked("GET", token=STRANGER).json["replicas"] == []
    for method in ("GET", "DELETE"):
        refused = asked(method, f"?id={name}", STRANGER)
        assert (refused.status, refused.code) == (404, "replica.missing")
    assert asked("DELETE", f"?id={name}").status == 204
    assert asked("GET", f"?id={name}").code == "replica.missing"
    assert trio.where(NETWORKS, "listed") == ["CloudOne", "CloudThree"]


def test_changes_that_wait_are_listed(trio: World) -> None:
    answer = network(trio, "waits")
    members, name = read_members(str(answer.get("X-Scope-Replicas"))), answer.get("X-Scope-Replica")

    def waiting() -> list[dict[str, Any]]:
        body = ask(trio.gateway.url("image"), "/openstackoid/v1/replicas").json
        return [one for one in body["operations"] if one["replica"] == name]

    trio.fail("CloudThree", "PUT", reply(503, {}), times=10**6)
    assert send(trio, "PUT", f"{NETWORKS}/{members['CloudOne']}", {"network": {"name": "waited"}}).status == 200
    (operation,) = waiting()
    assert (operation["does"], operation["kind"]) == ("update", "network.network")
    assert {cloud["cloud"]: cloud["stage"] for cloud in operation["clouds"]} == {
        "CloudOne": "done",
        "CloudTwo": "done",
        "CloudThree": "accepted",
    }
    trio.states["CloudThree"].before = lambda _seen, _name: None
    until(lambda: not waiting())
    assert trio.where(NETWORKS, "waited") == list(NAMES)


def test_a_read_needs_no_database(trio: World) -> None:
    """Members are then found as any other thing is."""
    members = read_members(str(network(trio, "read").get("X-Scope-Replicas")))
    file = Path(trio.store.database.file or "")
    aside = file.with_name("aside")
    file.rename(aside)
    try:
        shown = send(trio, "GET", f"{NETWORKS}/{members['CloudTwo']}")
        assert (shown.status, shown.get("X-Scope-Cloud"), shown.get("X-Scope-Replica")) == (200, "CloudTwo", None)
        refused = network(trio, "unrecorded")
        assert (refused.status, refused.code) == (503, "store.failed")
        assert trio.where(NETWORKS, "unrecorded") == []
    finally:
        aside.rename(file)


def test_an_action_without_a_result_of_its_own_reaches_all_members(trio: World) -> None:
    made = send(trio, "POST", "/v2.1/servers", {"server": {"name": "acts", "networks": "none"}})
    members = read_members(str(made.get("X-Scope-Replicas")))
    path = f"/v2.1/servers/{members['CloudTwo']}/action"
    trio.fail("CloudThree", "POST", reply(503, {}))
    stopped = send(trio, "POST", path, {"os-stop": None})
    assert (stopped.status, stopped.get("X-Scope-Missing")) == (202, "CloudThree;code=status.503")
    for cloud, member in members.items():
        server = trio.states[cloud].things["/v2.1/servers"][member]
        until(functools.partial(server.get, "acted"))
        assert server["acted"] == ["os-stop"]
    refusals: tuple[Any, ...] = ({"createImage": {"name": "x"}}, {"os-stop": None, "reboot": {"type": "HARD"}}, [])
    for action in refusals:
        refused = send(trio, "POST", path, action)
        assert (refused.status, refused.code) == (501, "scope.operators")
        assert "only actions without a result of their own" in refused.error


def test_a_deleted_server_is_shown_until_every_cloud_is_done_with_it(trio: World) -> None:
    made = send(trio, "POST", SERVERS, {"server": {"name": "leaving", "networks": "none"}})
    members = read_members(str(made.get("X-Scope-Replicas")))
    path, busy = f"{SERVERS}/{members['CloudOne']}", {"CloudTwo", "CloudThree"}

    def takes_its_time(seen: Seen, name: str) -> bytes | None:
        if seen.method != "DELETE":
            return None
        if name not in busy:  # as nova for a moment: clients that wait take this status for the end
            trio.states[name].things[SERVERS][members[name]]["status"] = "DELETED"
        return reply(204)

    for name in NAMES:
        trio.states[name].before = takes_its_time
    assert send(trio, "DELETE", path).status == 204
    assert trio.where(SERVERS, "leaving") == list(NAMES)
    assert trio.replicas("compute.server", members["CloudOne"]) == []
    while busy:
        shown = send(trio, "GET", path)
        name = str(shown.get("X-Scope-Cloud"))
        assert (shown.status, name in busy, shown.json["server"]["id"]) == (200, True, members[name])
        # As a client goes on that takes the id of the answer.
        assert send(trio, "GET", f"{SERVERS}/{members[name]}").status == 200
        with trio.states[name].lock:
            del trio.states[name].things[SERVERS][members[name]]
        busy.remove(name)
    shown = send(trio, "GET", path)
    assert (shown.status, shown.json["server"]["status"]) == (200, "DELETED")
    with trio.states["CloudOne"].lock:
        trio.states["CloudOne"].things[SERVERS].clear()
    assert send(trio, "GET", path).status == 404
    assert send(trio, "GET", path, token=STRANGER).status == 404


def test_a_deleted_network_is_gone_at_once(trio: World) -> None:
    members = read_members(str(network(trio, "gone at once").get("X-Scope-Replicas")))
    asked = []

    def counting(seen: Seen, name: str) -> None:
        asked.append((seen.method, seen.target, name))

    assert send(trio, "DELETE", f"{NETWORKS}/{members['CloudTwo']}").status == 204
    for name in NAMES:
        trio.states[name].before = counting
    assert send(trio, "GET", f"{NETWORKS}/{members['CloudTwo']}").status == 404
    assert all(target.endswith(members["CloudTwo"]) for method, target, _ in asked if target.startswith(NETWORKS))
