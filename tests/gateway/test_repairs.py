"""Replicas are repaired, and made of resources that are there."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import update
from tests.gateway.replicated import ALL, NAMES, NETWORKS, STRANGER, World, network, send
from tests.gateway.wire import TOKEN, Answer, Seen, ask, reply, until

from openstackoid.core.partial import read_members
from openstackoid.gateway.replicas import registry
from openstackoid.gateway.replicas.doubts import Doubts
from openstackoid.gateway.replicas.records import FORM, Operation, Part
from openstackoid.gateway.replicas.registry import Registry
from openstackoid.gateway.replicas.tables import LEASES, MIGRATIONS, TABLES
from openstackoid.operations.store import Store

SUBNETS: Final = "/v2.0/subnets"
IMAGES: Final = "/v2/images"
DATA: Final = bytes(range(256)) * 500


def call(trio: World, method: str, query: str = "", document: Any = None, token: str = TOKEN) -> Answer:
    body = None if document is None else json.dumps(document).encode()
    path = f"/openstackoid/v1/replicas{query}"
    return ask(trio.gateway.url("image"), path, method=method, body=body, token=token)


def repair(trio: World, replica: str) -> dict[str, dict[str, Any]]:
    answer = call(trio, "POST", f"?id={replica}")
    assert answer.status == 200, answer.body
    return {one["cloud"]: one for one in answer.json["replica"]["members"]}


def states(trio: World, replica: str) -> dict[str, str]:
    return {cloud: one["state"] for cloud, one in repair(trio, replica).items()}


def replica_of(answer: Answer) -> tuple[str, dict[str, str]]:
    assert answer.status == 201, answer.body
    return str(answer.get("X-Scope-Replica")), read_members(str(answer.get("X-Scope-Replicas")))


def thing(trio: World, cloud: str, name: str, path: str = NETWORKS) -> dict[str, Any]:
    return trio.states[cloud].things[path][name]


def test_members_get_what_was_written_last_by_our_record(trio: World) -> None:
    """A cloud says itself when its member was written: it must not have its values win so."""
    name, members = replica_of(network(trio, "old"))
    assert send(trio, "PUT", f"{NETWORKS}/{members['CloudOne']}", {"network": {"name": "ours-now"}}).status == 200
    thing(trio, "CloudTwo", members["CloudTwo"]).update(name="theirs", updated_at="9999-01-01T00:00:00Z")
    thing(trio, "CloudOne", members["CloudOne"])["name"] = "lost"
    repaired = repair(trio, name)
    assert {cloud: one["state"] for cloud, one in repaired.items()} == {
        "CloudOne": "changed",
        "CloudTwo": "changed",
        "CloudThree": "same",
    }
    assert repaired["CloudTwo"]["fields"] == ["name"]
    assert trio.where(NETWORKS, "ours-now") == list(NAMES)
    # The entry cloud's clock is ours: a later change there wins.
    thing(trio, "CloudOne", members["CloudOne"]).update(name="at-home", updated_at="9999-01-01T00:00:00Z")
    assert states(trio, name) == {"CloudOne": "same", "CloudTwo": "changed", "CloudThree": "changed"}
    assert trio.where(NETWORKS, "at-home") == list(NAMES)


def test_a_field_that_the_last_write_has_not_reached_does_not_win_for_a_change_of_another(trio: World) -> None:
    """The entry cloud's time is of the whole member."""
    name, members = replica_of(network(trio, "old"))
    renamed = send(
        trio, "PUT", f"{NETWORKS}/{members['CloudTwo']}", {"network": {"name": "others-now"}}, "CloudTwo & CloudThree"
    )
    assert renamed.status == 200
    thing(trio, "CloudOne", members["CloudOne"]).update(description="at-home", updated_at="9999-01-01T00:00:00Z")
    repaired = repair(trio, name)
    assert {cloud: one["fields"] for cloud, one in repaired.items()} == {
        "CloudOne": ["name"],
        "CloudTwo": ["description"],
        "CloudThree": ["description"],
    }
    for cloud, member in members.items():
        shown = thing(trio, cloud, member)
        assert (shown["name"], shown["description"]) == ("others-now", "at-home")
    # What the repair has made is the last write: later times of the entry cloud count again, for all fields.
    thing(trio, "CloudOne", members["CloudOne"]).update(name="named-at-home", updated_at="9999-01-01T00:00:00Z")
    assert states(trio, name) == {"CloudOne": "same", "CloudTwo": "changed", "CloudThree": "changed"}
    assert trio.where(NETWORKS, "named-at-home") == list(NAMES)


def test_a_user_names_the_cloud_that_the_others_are_made_like(trio: World) -> None:
    name, members = replica_of(network(trio, "base-of-all"))
    thing(trio, "CloudTwo", members["CloudTwo"])["name"] = "chosen"
    answer = call(trio, "POST", f"?id={name}&from=Nowhere")
    assert (answer.status, answer.code) == (400, "request.malformed")
    answer = call(trio, "POST", f"?id={name}&from=CloudTwo")
    assert {one["cloud"]: one["state"] for one in answer.json["replica"]["members"]}["CloudTwo"] == "same"
    assert trio.where(NETWORKS, "chosen") == list(NAMES)
    # That is the last write now, and not what the gateway had on record before.
    thing(trio, "CloudOne", members["CloudOne"])["name"] = "base-of-all"
    assert states(trio, name) == {"CloudOne": "changed", "CloudThree": "same", "CloudTwo": "same"}
    assert trio.where(NETWORKS, "chosen") == list(NAMES)


def test_what_a_cloud_has_lost_is_created_anew_and_stays_a_member(trio: World) -> None:
    name, members = replica_of(network(trio, "lost"))
    subnet = {"subnet": {"name": "lost", "network_id": members["CloudOne"], "cidr": "10.0.0.0/24", "ip_version": 4}}
    below, subnets = replica_of(send(trio, "POST", SUBNETS, subnet))
    del trio.states["CloudThree"].things[NETWORKS][members["CloudThree"]]
    del trio.states["CloudThree"].things[SUBNETS][subnets["CloudThree"]]
    repaired = repair(trio, name)
    assert [repaired[cloud]["state"] for cloud in NAMES] == ["same", "same", "created"]
    assert states(trio, below)["CloudThree"] == "created"
    (created,) = trio.states["CloudThree"].named(NETWORKS, "lost")
    assert (created["id"], created["description"]) == (repaired["CloudThree"]["id"], "ours")
    assert trio.states["CloudThree"].named(SUBNETS, "lost")[0]["network_id"] == created["id"]
    (replica,) = trio.replicas("network.network", members["CloudOne"])
    assert (replica.id, replica.members) == (name, members | {"CloudThree": created["id"]})


def test_an_image_that_a_cloud_has_lost_is_copied(trio: World) -> None:
    name, members = replica_of(send(trio, "POST", IMAGES, {"name": "lost", "disk_format": "raw"}))
    for cloud in ("CloudTwo", "CloudThree"):
        trio.states[cloud].fill(thing(trio, cloud, members[cloud], IMAGES), DATA)
    del trio.states["CloudOne"].things[IMAGES][members["CloudOne"]]
    assert [repair(trio, name)[cloud]["state"] for cloud in NAMES] == ["created", "same", "same"]
    (copy,) = trio.states["CloudOne"].named(IMAGES, "lost")
    assert trio.states["CloudOne"].data[copy["id"]] == DATA
    assert trio.replicas("image.image", members["CloudTwo"])[0].members["CloudOne"] == copy["id"]


def test_what_cannot_be_made_alike_is_named(trio: World) -> None:
    name, members = replica_of(network(trio, "base"))
    subnet = {"subnet": {"name": "fixed", "network_id": members["CloudOne"], "cidr": "10.0.0.0/24", "ip_version": 4}}
    name, members = replica_of(send(trio, "POST", SUBNETS, subnet))
    thing(trio, "CloudTwo", members["CloudTwo"], SUBNETS)["cidr"] = "10.0.1.0/24"
    repaired = repair(trio, name)["CloudTwo"]
    assert (repaired["state"], repaired["fields"]) == ("differs", ["cidr"])
    trio.fail("CloudThree", "GET", reply(403, {}))
    assert repair(trio, name)["CloudThree"]["state"] == "status.403"


def test_a_change_that_waits_goes_first_with_the_rights_of_the_one_who_repairs(trio: World) -> None:
    name, members = replica_of(network(trio, "waiting"))
    # The cloud refuses the token on record: it has expired. A new login has another one.
    expired = [True]

    def rule(seen: Seen, _name: str) -> bytes | None:
        return reply(401, {}) if expired[0] and seen.method == "PUT" else None

    trio.states["CloudThree"].before = rule
    path = f"{NETWORKS}/{members['CloudOne']}"
    assert send(trio, "PUT", path, {"network": {"name": "arrived"}}).status == 200
    assert set(states(trio, name).values()) == {"waits"}
    expired[0] = False
    until(lambda: "waits" not in states(trio, name).values())  # it may be under way just now
    assert trio.where(NETWORKS, "arrived") == list(NAMES)


def test_a_delete_on_record_wins(trio: World) -> None:
    name, members = replica_of(network(trio, "deleted"))
    away = [True]

    def rule(seen: Seen, _name: str) -> bytes | None:
        return reply(503, {}) if away[0] and seen.method != "GET" else None

    trio.states["CloudTwo"].before = rule
    path = f"{NETWORKS}/{members['CloudOne']}"
    assert send(trio, "PUT", path, {"network": {"name": "updated"}}).status == 200
    assert send(trio, "DELETE", path).status == 204
    thing(trio, "CloudTwo", members["CloudTwo"])["updated_at"] = "2040-01-01T00:00:00Z"
    away[0] = False
    assert set(states(trio, name).values()) == {"gone"}
    assert trio.where(NETWORKS, "deleted") == trio.where(NETWORKS, "updated") == []


def test_a_replica_without_members_is_forgotten(trio: World) -> None:
    name, members = replica_of(network(trio, "nowhere"))
    for cloud, member in members.items():
        del trio.states[cloud].things[NETWORKS][member]
    assert set(states(trio, name).values()) == {"gone"}
    assert call(trio, "POST", f"?id={name}").code == "replica.missing"


def plain(trio: World, name: str, **more: Any) -> dict[str, str]:
    """A network of the same name in each cloud."""
    members = {}
    for cloud in NAMES[:2]:
        members[cloud] = f"{name}-{cloud}"
        trio.states[cloud].things[NETWORKS][members[cloud]] = {"id": members[cloud], "name": name} | more
    return members


def test_resources_that_are_alike_become_one_replica(trio: World) -> None:
    members = plain(trio, "adopted")
    wish = {"kind": "network", "members": members}
    adopted = call(trio, "POST", "", wish)
    assert adopted.status == 201, adopted.body
    assert adopted.json["replica"]["kind"] == "network.network"
    again = call(trio, "POST", "", wish)
    assert (again.status, again.code) == (409, "replica.refused")
    path, body = f"{NETWORKS}/{members['CloudTwo']}", {"network": {"name": "both"}}
    assert send(trio, "PUT", path, body, "CloudOne & CloudTwo").status == 200
    assert trio.where(NETWORKS, "both") == ["CloudOne", "CloudTwo"]


def test_resources_that_differ_become_one_on_request_alone(trio: World) -> None:
    members = plain(trio, "unlike", admin_state_up=True)
    thing(trio, "CloudTwo", members["CloudTwo"]).update(name="unlike-too", updated_at="2000-01-01T00:00:00Z")
    wish = {"kind": "network.network", "members": members}
    refused = call(trio, "POST", "", wish)
    assert (refused.status, refused.code) == (409, "replica.differs")
    assert "name" in refused.error
    adopted = call(trio, "POST", "", wish | {"differing": True}).json["replica"]
    assert set(states(trio, adopted["id"]).values()) == {"same", "changed"}
    assert len({thing(trio, cloud, member)["name"] for cloud, member in members.items()}) == 1


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"kind": "network", "members": {"CloudOne": "a"}}, 400, "request.malformed"),
        ({"kind": "cloud", "members": {"CloudOne": "a", "CloudTwo": "b"}}, 400, "request.malformed"),
        ({"kind": "network", "members": {"CloudOne": "a", "CloudTwo": "\n"}}, 400, "request.malformed"),
        ({"kind": "network", "members": {"CloudOne": "a", "Nowhere": "b"}}, 400, "cloud.unknown"),
        ({"kind": "network", "members": {"CloudOne": "a", "CloudTwo": "b"}}, 409, "replica.refused"),
        ([], 400, "request.malformed"),
    ],
)
def test_what_cannot_be_adopted_is_refused(trio: World, wish: Any, status: int, code: str) -> None:
    answer = call(trio, "POST", "", wish)
    assert (answer.status, answer.code) == (status, code)


def test_a_stranger_repairs_nothing(trio: World) -> None:
    name, _ = replica_of(network(trio, "ours-alone"))
    assert call(trio, "POST", f"?id={name}", token=STRANGER).code == "replica.missing"
    assert until(lambda: trio.where(NETWORKS, "ours-alone")) == list(NAMES)
    assert send(trio, "GET", NETWORKS, clouds=ALL).status == 200


def test_an_update_that_one_cloud_refuses_for_a_while_reaches_it_by_itself(trio: World) -> None:
    _, members = replica_of(network(trio, "behind"))
    trio.fail("CloudThree", "PUT", reply(409, {}), times=2)
    answer = send(trio, "PUT", f"{NETWORKS}/{members['CloudOne']}", {"network": {"name": "ahead"}})
    assert answer.code == "replica.refused"
    until(lambda: trio.where(NETWORKS, "ahead") == list(NAMES))


def test_what_reached_the_entry_cloud_by_itself_can_be_changed_there(trio: World) -> None:
    name, members = replica_of(network(trio, "late"))
    refusals = [reply(503, {}), reply(409, {})]
    trio.states["CloudOne"].before = lambda seen, _: refusals.pop(0) if seen.method == "PUT" and refusals else None
    assert send(trio, "PUT", f"{NETWORKS}/{members['CloudOne']}", {"network": {"name": "arrives-late"}}).status == 200

    def reached() -> bool:
        (replica,) = trio.replicas("network.network", members["CloudOne"])
        return replica.written is not None and "name" in replica.written.reached

    until(reached)  # the first cloud that had it has taken it from the record
    assert trio.where(NETWORKS, "arrives-late") == list(NAMES)
    thing(trio, "CloudOne", members["CloudOne"]).update(name="later", updated_at="9999-01-01T00:00:00Z")
    assert states(trio, name) == {"CloudOne": "same", "CloudTwo": "changed", "CloudThree": "changed"}


def test_a_repair_while_the_entry_cloud_is_away_takes_nothing_back_from_it(trio: World) -> None:
    name, members = replica_of(network(trio, "before"))
    thing(trio, "CloudOne", members["CloudOne"]).update(name="meanwhile", updated_at="9999-01-01T00:00:00Z")
    trio.fail("CloudOne", "GET", reply(503, {}))
    assert states(trio, name) == {"CloudOne": "status.503", "CloudTwo": "same", "CloudThree": "same"}
    assert states(trio, name) == {"CloudOne": "same", "CloudTwo": "changed", "CloudThree": "changed"}
    assert trio.where(NETWORKS, "meanwhile") == list(NAMES)


def test_what_the_entry_cloud_changes_while_others_are_repaired_wins_the_next_time(trio: World) -> None:
    """A repair may take hours, if it copies an image."""
    name, members = replica_of(network(trio, "as-created"))
    thing(trio, "CloudTwo", members["CloudTwo"])["name"] = "theirs"

    def slow(seen: Seen, _: str) -> None:
        if seen.method == "PUT":
            time.sleep(2.5)  # more than the clocks of one cloud differ
            now = datetime.now(UTC).isoformat()
            thing(trio, "CloudOne", members["CloudOne"]).update(name="just-now", updated_at=now)

    trio.states["CloudTwo"].before = slow
    assert states(trio, name) == {"CloudOne": "same", "CloudTwo": "changed", "CloudThree": "same"}
    trio.states["CloudTwo"].before = lambda _seen, _name: None
    assert states(trio, name) == {"CloudOne": "same", "CloudTwo": "changed", "CloudThree": "changed"}
    assert trio.where(NETWORKS, "just-now") == list(NAMES)


def test_what_was_created_in_the_entry_cloud_later_can_be_changed_there(trio: World) -> None:
    trio.fail("CloudOne", "POST", reply(503, {}), times=2)
    answer = network(trio, "joins", X_Scope_On_Failure="converge")
    assert (answer.status, answer.get("X-Scope-Missing")) == (201, "CloudOne;code=status.503")
    (replica,) = until(
        lambda: [one for one in trio.replicas("network.network", answer.json["network"]["id"]) if len(one.members) == 3]
    )
    thing(trio, "CloudOne", replica.members["CloudOne"]).update(name="grown", updated_at="9999-01-01T00:00:00Z")
    assert states(trio, replica.id) == {"CloudOne": "same", "CloudTwo": "changed", "CloudThree": "changed"}


def test_an_older_update_that_arrives_late_is_not_the_last_write(tmp_path: Path) -> None:
    store: Store[Operation, Part] = Store(f"sqlite:///{tmp_path}/operations.sqlite", TABLES, MIGRATIONS, FORM)
    store.upgrade()
    members = {"CloudOne": "1", "CloudTwo": "2"}

    def reached() -> set[str]:
        written = one.written if (one := Registry(store.database).get("p", "r")) else None
        assert written is not None
        assert written.values == {"name": "second", "mtu": 1400}
        return set(written.reached)

    with store.database.changing() as connection:
        registry.put(
            connection, "r", "network.network", "p", members, values={"name": "", "mtu": 1400}, entry="CloudOne"
        )
        registry.write(connection, "r", lambda before: {**before, "name": "second"}, {"name": "second"}, None)
        registry.write(connection, "r", lambda before: before, {"name": "first"}, time.time())
    assert reached() == {"mtu"}
    with store.database.changing() as connection:
        registry.write(connection, "r", lambda before: before, {"name": "second"}, time.time())
    assert reached() == {"mtu", "name"}
    store.close()


def test_a_delete_that_one_cloud_refuses_for_a_while_reaches_it_by_itself(trio: World) -> None:
    _, members = replica_of(network(trio, "in-use"))
    trio.fail("CloudThree", "DELETE", reply(409, {}), times=2)
    assert send(trio, "DELETE", f"{NETWORKS}/{members['CloudOne']}").code == "replica.refused"
    until(lambda: trio.where(NETWORKS, "in-use") == [])
    until(lambda: trio.replicas("network.network", members["CloudThree"]) == [])


def test_one_gateway_repairs_at_a_time(tmp_path: Path) -> None:
    store: Store[Operation, Part] = Store(f"sqlite:///{tmp_path}/leases.sqlite", TABLES, MIGRATIONS, FORM)
    store.upgrade()
    doubts = Doubts(store.database)
    assert [doubts.lead(owner, 600) for owner in ("a", "b", "a")] == [True, False, True]
    with store.database.changing() as connection:
        connection.execute(update(LEASES).values(lease_until=0))
    assert [doubts.lead(owner, 600) for owner in ("b", "a")] == [True, False]
    store.close()
