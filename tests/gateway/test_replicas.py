"""Creates in several clouds: in all of them or in none."""

import json

import pytest
from tests.gateway.replicated import NAMES, NETWORKS, World, network
from tests.gateway.stateful import LOST
from tests.gateway.wire import PROJECT, Seen, reply, until

from openstackoid.core.partial import read_members


def test_a_create_is_in_every_cloud_and_its_members_are_named(trio: World) -> None:
    answer = network(trio, "all")
    assert (answer.status, answer.get("X-Scope-Cloud"), answer.get("X-Scope-Missing")) == (201, "CloudOne", None)
    members = read_members(str(answer.get("X-Scope-Replicas")))
    assert members == {cloud: state.named(NETWORKS, "all")[0]["id"] for cloud, state in trio.states.items()}
    assert answer.json["network"]["id"] == members["CloudOne"]
    # The mark is gone: the description is the client's.
    assert {state.named(NETWORKS, "all")[0]["description"] for state in trio.states.values()} == {"ours"}
    assert answer.json["network"]["description"] == "ours"
    (replica,) = trio.replicas("network.network", members["CloudTwo"])
    assert (replica.members, replica.owner, replica.id) == (members, PROJECT, answer.get("X-Scope-Replica"))


@pytest.mark.parametrize("answer", [reply(403, {"forbidden": {"message": "quota"}}), reply(409, {"message": "no"})])
def test_a_cloud_that_refuses_leaves_it_in_none(trio: World, answer: bytes) -> None:
    trio.fail("CloudTwo", "POST", answer)
    refused = network(trio, "refused")
    assert (refused.status, refused.code) == (409, "replica.refused")
    assert "CloudTwo answered 4" in refused.error
    assert "It is in no cloud." in refused.error
    assert trio.where(NETWORKS, "refused") == []
    assert trio.operation(refused).done


def test_a_cloud_that_cannot_be_reached_leaves_it_in_none(trio: World) -> None:
    answer = network(trio, "unreached", "CloudOne & Dead & CloudTwo")
    assert (answer.status, answer.code) == (502, "replica.failed")
    assert "Dead" in answer.error
    assert "It is in no cloud." in answer.error
    assert trio.where(NETWORKS, "unreached") == []


def test_an_answer_that_is_lost_after_its_effect_is_found_by_its_mark(trio: World) -> None:
    trio.fail("CloudTwo", "POST", LOST, after=True)
    answer = network(trio, "lost")
    assert answer.status == 201, answer.body
    assert trio.where(NETWORKS, "lost") == list(NAMES)
    assert len(read_members(str(answer.get("X-Scope-Replicas")))) == 3
    assert len(trio.states["CloudTwo"].named(NETWORKS, "lost")) == 1


def test_a_request_that_is_lost_before_its_effect_is_undone_when_that_is_certain(trio: World) -> None:
    trio.fail("CloudTwo", "POST", LOST)
    answer = network(trio, "vanished")
    assert (answer.status, answer.code) == (502, "replica.failed")
    # It becomes certain with time, which on a busy machine has passed before the answer.
    assert "not certain yet" in answer.error or "It is in no cloud" in answer.error
    assert trio.where(NETWORKS, "vanished") == []
    until(lambda: trio.operation(answer).done)
    assert trio.where(NETWORKS, "vanished") == []


def test_an_effect_that_comes_late_is_undone_too(trio: World) -> None:
    state = trio.states["CloudThree"]
    late: list[bytes] = []

    def lose(seen: Seen, _name: str) -> bytes | None:
        if seen.method != "POST":
            return None
        late.append(seen.raw)
        return LOST

    def take_effect(seen: Seen, _name: str) -> None:
        # The gateway has looked, and found nothing: now the cloud does what it was asked long ago.
        if seen.method == "GET" and late:
            given = json.loads(late.pop())["network"]
            state.things[NETWORKS]["late-id"] = given | {"id": "late-id"}

    state.before, state.after = lose, take_effect
    answer = network(trio, "late")
    assert answer.code == "replica.failed"
    until(lambda: trio.operation(answer).done)
    assert trio.where(NETWORKS, "late") == []
    assert late == []


def test_an_undo_that_fails_is_done_later(trio: World) -> None:
    trio.fail("CloudTwo", "POST", reply(403, {}))
    trio.fail("CloudOne", "DELETE", reply(500, {}), times=2)
    answer = network(trio, "stays")
    assert (answer.status, answer.code) == (502, "replica.failed")
    assert "It is still in CloudOne" in answer.error
    until(lambda: trio.operation(answer).done)
    assert trio.where(NETWORKS, "stays") == []


def test_keep_keeps_what_worked(trio: World) -> None:
    trio.fail("CloudOne", "POST", reply(403, {}))
    answer = network(trio, "kept", X_Scope_On_Failure="keep")
    assert (answer.status, answer.get("X-Scope-Cloud")) == (201, "CloudThree")
    assert answer.get("X-Scope-Missing") == "CloudOne;code=status.403"
    assert sorted(read_members(str(answer.get("X-Scope-Replicas")))) == ["CloudThree", "CloudTwo"]
    assert trio.where(NETWORKS, "kept") == ["CloudTwo", "CloudThree"]


def test_converge_creates_the_rest_when_the_cloud_is_back(trio: World) -> None:
    trio.fail("CloudTwo", "POST", reply(503, {}), times=2)
    answer = network(trio, "later", X_Scope_On_Failure="converge")
    assert (answer.status, answer.get("X-Scope-Missing")) == (201, "CloudTwo;code=status.503")
    until(lambda: trio.where(NETWORKS, "later") == list(NAMES))
    (replica,) = until(
        lambda: [one for one in trio.replicas("network.network", answer.json["network"]["id"]) if len(one.members) == 3]
    )
    assert replica.members["CloudTwo"] == trio.states["CloudTwo"].named(NETWORKS, "later")[0]["id"]


def test_the_same_key_is_the_same_request(trio: World) -> None:
    first = network(trio, "once", Idempotency_Key="key-1")
    again = network(trio, "once", Idempotency_Key="key-1")
    assert (first.status, again.status) == (201, 201)
    assert first.json["network"]["id"] == again.json["network"]["id"]
    assert first.get("X-Scope-Replicas") == again.get("X-Scope-Replicas")
    assert all(len(state.named(NETWORKS, "once")) == 1 for state in trio.states.values())
    other = network(trio, "twice", Idempotency_Key="key-1")
    assert (other.status, other.code) == (422, "replica.key")
    assert trio.where(NETWORKS, "twice") == []


def test_a_key_is_free_again_when_nothing_came_of_it(trio: World) -> None:
    trio.fail("CloudTwo", "POST", reply(403, {}))
    assert network(trio, "anew", Idempotency_Key="key-2").code == "replica.refused"
    assert network(trio, "anew", Idempotency_Key="key-2").status == 201
    assert trio.where(NETWORKS, "anew") == list(NAMES)
