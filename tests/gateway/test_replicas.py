"""Changes in several clouds, through real gateways: three clouds that keep what is created, and one that fails as a test says."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from tests.gateway.stateful import LOST, Stateful
from tests.gateway.wire import PROJECT, TOKEN, Answer, Cloud, Gateway, Seen, ask, nobody, reply, scope, until

from openstackoid.core.partial import read_members
from openstackoid.gateway.replicas.records import FORM, Operation, Part
from openstackoid.gateway.replicas.registry import Registry, Replica
from openstackoid.gateway.replicas.tables import MIGRATIONS, TABLES
from openstackoid.operations.stages import Stage
from openstackoid.operations.store import Store
from openstackoid.trust import key_files

NAMES: Final = ("CloudOne", "CloudTwo", "CloudThree")
ALL: Final = "CloudOne & CloudTwo & CloudThree"
NETWORKS: Final = "/v2.0/networks"
STRANGER: Final = "gAAAAAmarker-stranger"


@dataclass
class World:
    states: dict[str, Stateful]
    gateway: Gateway  # of CloudOne
    store: Store[Operation, Part]
    clouds: dict[str, Cloud]

    def fail(self, cloud: str, method: str, answer: bytes, *, times: int = 1, after: bool = False) -> None:
        """Let the next requests with a method fail in a cloud; `after` their effect."""
        left = [times]

        def rule(seen: Seen, _name: str) -> bytes | None:
            if seen.method != method or not left[0]:
                return None
            left[0] -= 1
            return answer

        setattr(self.states[cloud], "after" if after else "before", rule)

    def where(self, collection: str, name: str) -> list[str]:
        return [cloud for cloud, state in self.states.items() if state.named(collection, name)]

    def replicas(self, kind: str, name: str) -> list[Replica]:
        return Registry(self.store.database).having(kind, [name])

    def operation(self, answer: Answer) -> Operation:
        """The operation that an error names."""
        name = answer.error.rpartition("(operation ")[2].rstrip(")")
        found = self.store.get(f"{PROJECT}/u", name)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("replicas")
    clouds = {name: Cloud(name, paths=name != "CloudOne") for name in NAMES}
    states = {name: Stateful(cloud) for name, cloud in clouds.items()}
    clouds["CloudOne"]["identity"].on("/v3/auth/tokens", whose)
    urls: dict[str, dict[str, Any]] = {
        name: {"url": clouds[name].frontends["identity"].removesuffix("/identity")} for name in NAMES
    }
    (folder / "one").mkdir()
    key_files.create(folder / "one" / "keys.json")
    database = f"sqlite:///{folder}/operations.sqlite"
    operations = {"database": database, "keys": "keys.json", "settle": 1, "scan": 0.2, "lease": 60, "timeout": 60}
    with nobody() as away:
        gone = {"url": f"http://127.0.0.1:{away}", "services": {"network": f"http://127.0.0.1:{away}"}}
        peers = {name: dict(urls[name]) for name in NAMES[1:]} | {"Dead": gone}
        started = [Gateway(folder / "one", clouds["CloudOne"].config(peers=peers, operations=operations))]
        started += [
            Gateway(folder / name, clouds[name].config(peers={"CloudOne": dict(urls["CloudOne"])}))
            for name in NAMES[1:]
        ]
        store = Store(database, TABLES, MIGRATIONS, FORM)
        try:
            for gateway in started:
                gateway.ready()
            until(lambda: _up(started[0]) >= set(NAMES[1:]))
            yield World(states, started[0], store, clouds)
        finally:
            for gateway in started:
                gateway.end()
            codes = [gateway.stop() for gateway in started]
            for cloud in clouds.values():
                cloud.close()
            store.close()
    assert codes == [0, 0, 0]
    assert not any("Traceback" in gateway.said for gateway in started)
    assert b"gAAAAAmarker" not in (folder / "operations.sqlite").read_bytes()
    assert "gAAAAAmarker" not in "".join(gateway.said for gateway in started)


@pytest.fixture
def world(running: World) -> Iterator[World]:
    yield running
    for state in running.states.values():
        state.before = state.after = lambda _seen, _name: None


def whose(seen: Seen, _: socket.socket) -> bytes:
    """Keystone: a stranger is of another project."""
    project = "f" * 32 if seen.get("X-Subject-Token") == STRANGER else PROJECT
    return reply(200, {"token": {"user": {"id": "u"}, "project": {"id": project}, "catalog": []}})


def _up(gateway: Gateway) -> set[str]:
    told = ask(gateway.url("image"), "/openstackoid/v1/peers", token=None).json
    return {peer["name"] for peer in told["peers"] if peer["state"] == "up"}


def send(world: World, method: str, path: str, document: Any = None, clouds: str = ALL, **headers: str) -> Answer:
    """A request to the network service, or to the one that the path is of."""
    service = "image" if path.startswith("/v2/") else "compute" if path.startswith("/v2.1/") else "network"
    given = scope(**{service: clouds}) | {"Content-Type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    body = None if document is None else json.dumps(document).encode()
    token = given.pop("token", None)
    return ask(world.gateway.url(service), path, given, method=method, body=body, **({"token": token} if token else {}))


def network(world: World, name: str, clouds: str = ALL, **headers: str) -> Answer:
    return send(world, "POST", NETWORKS, {"network": {"name": name, "description": "ours"}}, clouds, **headers)


def test_a_create_is_in_every_cloud_and_its_members_are_named(world: World) -> None:
    answer = network(world, "all")
    assert (answer.status, answer.get("X-Scope-Cloud"), answer.get("X-Scope-Missing")) == (201, "CloudOne", None)
    members = read_members(str(answer.get("X-Scope-Replicas")))
    assert members == {cloud: state.named(NETWORKS, "all")[0]["id"] for cloud, state in world.states.items()}
    assert answer.json["network"]["id"] == members["CloudOne"]
    # The mark is gone: the description is the client's.
    assert {state.named(NETWORKS, "all")[0]["description"] for state in world.states.values()} == {"ours"}
    assert answer.json["network"]["description"] == "ours"
    (replica,) = world.replicas("network.network", members["CloudTwo"])
    assert (replica.members, replica.owner, replica.id) == (members, PROJECT, answer.get("X-Scope-Replica"))


@pytest.mark.parametrize("answer", [reply(403, {"forbidden": {"message": "quota"}}), reply(409, {"message": "no"})])
def test_a_cloud_that_refuses_leaves_it_in_none(world: World, answer: bytes) -> None:
    world.fail("CloudTwo", "POST", answer)
    refused = network(world, "refused")
    assert (refused.status, refused.code) == (409, "replica.refused")
    assert "CloudTwo answered 4" in refused.error
    assert "It is in no cloud." in refused.error
    assert world.where(NETWORKS, "refused") == []
    assert world.operation(refused).done


def test_a_cloud_that_cannot_be_reached_leaves_it_in_none(world: World) -> None:
    answer = network(world, "unreached", "CloudOne & Dead & CloudTwo")
    assert (answer.status, answer.code) == (502, "replica.failed")
    assert "Dead" in answer.error
    assert "It is in no cloud." in answer.error
    assert world.where(NETWORKS, "unreached") == []


def test_an_answer_that_is_lost_after_its_effect_is_found_by_its_mark(world: World) -> None:
    world.fail("CloudTwo", "POST", LOST, after=True)
    answer = network(world, "lost")
    assert answer.status == 201, answer.body
    assert world.where(NETWORKS, "lost") == list(NAMES)
    assert len(read_members(str(answer.get("X-Scope-Replicas")))) == 3
    assert len(world.states["CloudTwo"].named(NETWORKS, "lost")) == 1


def test_a_request_that_is_lost_before_its_effect_is_undone_when_that_is_certain(world: World) -> None:
    world.fail("CloudTwo", "POST", LOST)
    answer = network(world, "vanished")
    assert (answer.status, answer.code) == (502, "replica.failed")
    assert "not certain yet" in answer.error
    assert world.where(NETWORKS, "vanished") == []
    until(lambda: world.operation(answer).done)
    assert world.where(NETWORKS, "vanished") == []


def test_an_effect_that_comes_late_is_undone_too(world: World) -> None:
    state = world.states["CloudThree"]
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
    answer = network(world, "late")
    assert answer.code == "replica.failed"
    until(lambda: world.operation(answer).done)
    assert world.where(NETWORKS, "late") == []
    assert late == []


def test_an_undo_that_fails_is_done_later(world: World) -> None:
    world.fail("CloudTwo", "POST", reply(403, {}))
    world.fail("CloudOne", "DELETE", reply(500, {}), times=2)
    answer = network(world, "stays")
    assert (answer.status, answer.code) == (502, "replica.failed")
    assert "It is still in CloudOne" in answer.error
    until(lambda: world.operation(answer).done)
    assert world.where(NETWORKS, "stays") == []


def test_keep_keeps_what_worked(world: World) -> None:
    world.fail("CloudOne", "POST", reply(403, {}))
    answer = network(world, "kept", X_Scope_On_Failure="keep")
    assert (answer.status, answer.get("X-Scope-Cloud")) == (201, "CloudThree")
    assert answer.get("X-Scope-Missing") == "CloudOne;code=status.403"
    assert sorted(read_members(str(answer.get("X-Scope-Replicas")))) == ["CloudThree", "CloudTwo"]
    assert world.where(NETWORKS, "kept") == ["CloudTwo", "CloudThree"]


def test_converge_creates_the_rest_when_the_cloud_is_back(world: World) -> None:
    world.fail("CloudTwo", "POST", reply(503, {}), times=2)
    answer = network(world, "later", X_Scope_On_Failure="converge")
    assert (answer.status, answer.get("X-Scope-Missing")) == (201, "CloudTwo;code=status.503")
    until(lambda: world.where(NETWORKS, "later") == list(NAMES))
    (replica,) = until(
        lambda: [
            one for one in world.replicas("network.network", answer.json["network"]["id"]) if len(one.members) == 3
        ]
    )
    assert replica.members["CloudTwo"] == world.states["CloudTwo"].named(NETWORKS, "later")[0]["id"]


def test_the_same_key_is_the_same_request(world: World) -> None:
    first = network(world, "once", Idempotency_Key="key-1")
    again = network(world, "once", Idempotency_Key="key-1")
    assert (first.status, again.status) == (201, 201)
    assert first.json["network"]["id"] == again.json["network"]["id"]
    assert first.get("X-Scope-Replicas") == again.get("X-Scope-Replicas")
    assert all(len(state.named(NETWORKS, "once")) == 1 for state in world.states.values())
    other = network(world, "twice", Idempotency_Key="key-1")
    assert (other.status, other.code) == (422, "replica.key")
    assert world.where(NETWORKS, "twice") == []


def test_a_key_is_free_again_when_nothing_came_of_it(world: World) -> None:
    world.fail("CloudTwo", "POST", reply(403, {}))
    assert network(world, "anew", Idempotency_Key="key-2").code == "replica.refused"
    assert network(world, "anew", Idempotency_Key="key-2").status == 201
    assert world.where(NETWORKS, "anew") == list(NAMES)


def test_show_update_and_delete_of_a_member_reach_all(world: World) -> None:
    members = read_members(str(network(world, "whole").get("X-Scope-Replicas")))
    path = f"{NETWORKS}/{members['CloudTwo']}"
    shown = send(world, "GET", path)
    assert (shown.json["network"]["id"], shown.get("X-Scope-Cloud")) == (members["CloudTwo"], "CloudTwo")
    assert read_members(str(shown.get("X-Scope-Replicas"))) == members
    changed = send(world, "PUT", path, {"network": {"name": "renamed"}})
    assert (changed.status, changed.json["network"]["id"]) == (200, members["CloudOne"])
    assert world.where(NETWORKS, "renamed") == list(NAMES)
    deleted = send(world, "DELETE", path)
    assert deleted.status == 204, deleted.body
    assert world.where(NETWORKS, "renamed") == []
    assert world.replicas("network.network", members["CloudTwo"]) == []


def test_a_show_goes_to_another_member_if_the_cloud_fails(world: World) -> None:
    members = read_members(str(network(world, "shown").get("X-Scope-Replicas")))
    world.fail("CloudTwo", "GET", reply(503, {}))
    shown = send(world, "GET", f"{NETWORKS}/{members['CloudTwo']}")
    assert (shown.status, shown.get("X-Scope-Cloud")) == (200, "CloudOne")
    assert shown.json["network"]["id"] == members["CloudOne"]


def test_a_change_that_the_first_cloud_refuses_changes_nothing(world: World) -> None:
    members = read_members(str(network(world, "same").get("X-Scope-Replicas")))
    world.fail("CloudOne", "PUT", reply(400, {"error": {"message": "bad"}}))
    answer = send(world, "PUT", f"{NETWORKS}/{members['CloudTwo']}", {"network": {"name": "other"}})
    assert answer.status == 400
    assert (world.where(NETWORKS, "same"), world.where(NETWORKS, "other")) == (list(NAMES), [])


def test_a_change_reaches_a_cloud_that_was_away_in_the_order_of_the_changes(world: World) -> None:
    members = read_members(str(network(world, "v0").get("X-Scope-Replicas")))
    path, away = f"{NETWORKS}/{members['CloudOne']}", [True]

    def rule(seen: Seen, _name: str) -> bytes | None:
        return reply(503, {}) if away[0] and seen.method in {"PUT", "DELETE"} else None

    world.states["CloudThree"].before = rule
    for name in ("v1", "v2"):
        answer = send(world, "PUT", path, {"network": {"name": name}})
        assert answer.status == 200, answer.body
        assert str(answer.get("X-Scope-Missing")).startswith("CloudThree;code=")
    assert (world.where(NETWORKS, "v2"), world.where(NETWORKS, "v0")) == (["CloudOne", "CloudTwo"], ["CloudThree"])
    away[0] = False
    until(lambda: world.where(NETWORKS, "v2") == list(NAMES))
    away[0] = True
    assert send(world, "DELETE", path).status == 204
    assert world.where(NETWORKS, "v2") == ["CloudThree"]
    away[0] = False
    until(lambda: world.where(NETWORKS, "v2") == [])
    until(lambda: world.replicas("network.network", members["CloudOne"]) == [])


def test_another_project_has_no_part_in_a_replica(world: World) -> None:
    members = read_members(str(network(world, "mine").get("X-Scope-Replicas")))
    answer = send(world, "DELETE", f"{NETWORKS}/{members['CloudTwo']}", token=STRANGER)
    # The cloud itself would refuse; the replica is not the stranger's, so only the cloud that has the id was asked.
    assert answer.status == 204
    assert world.where(NETWORKS, "mine") == ["CloudOne", "CloudThree"]
    assert len(world.replicas("network.network", members["CloudOne"])) == 1


def test_ids_of_members_are_replaced_in_later_requests(world: World) -> None:
    members = read_members(str(network(world, "base").get("X-Scope-Replicas")))
    subnet = {"subnet": {"name": "sub", "network_id": members["CloudThree"], "cidr": "10.0.0.0/24", "ip_version": 4}}
    assert send(world, "POST", "/v2.0/subnets", subnet).status == 201
    for cloud, state in world.states.items():
        assert state.named("/v2.0/subnets", "sub")[0]["network_id"] == members[cloud]


def test_what_is_no_replica_is_refused_before_anything_is_created(world: World) -> None:
    subnet = {"subnet": {"name": "nowhere", "network_id": "1" * 32}}
    answer = send(world, "POST", "/v2.0/subnets", subnet)
    assert (answer.status, answer.code) == (409, "replica.reference")
    assert "X-Scope-Match: name" in answer.error
    assert world.where("/v2.0/subnets", "nowhere") == []


def test_things_of_the_same_name_stand_for_each_other_on_request(world: World) -> None:
    for number, state in enumerate(world.states.values()):
        state.things[NETWORKS][f"public-{number}"] = {"id": f"public-{number}", "name": "public"}
    subnet = {"subnet": {"name": "by-name", "network_id": "public-1"}}
    assert send(world, "POST", "/v2.0/subnets", subnet, X_Scope_Match="name").status == 201
    assert [state.named("/v2.0/subnets", "by-name")[0]["network_id"] for state in world.states.values()] == [
        "public-0",
        "public-1",
        "public-2",
    ]


def test_an_image_has_one_id_in_all_clouds_and_boots_in_each(world: World) -> None:
    image = send(world, "POST", "/v2/images", {"name": "cirros"})
    assert image.status == 201, image.body
    assert set(read_members(str(image.get("X-Scope-Replicas"))).values()) == {image.json["id"]}
    for method, path, body in (("GET", f"/v2/images/{image.json['id']}", None),):
        assert send(world, method, path, body).json["id"] == image.json["id"]
    key = {"keypair": {"name": "mine", "public_key": "ssh-ed25519 AAAA"}}
    assert send(world, "POST", "/v2.1/os-keypairs", key).status == 201
    flavor = send(world, "POST", "/v2.1/flavors", {"flavor": {"name": "f", "ram": 1, "vcpus": 1, "disk": 1}}).json
    server = {
        "server": {"name": "web", "imageRef": image.json["id"], "flavorRef": flavor["flavor"]["id"], "key_name": "mine"}
    }
    given = scope(compute=ALL, image=ALL) | {"Content-Type": "application/json"}
    made = ask(world.gateway.url("compute"), "/v2.1/servers", given, method="POST", body=json.dumps(server).encode())
    assert made.status == 201, made.body
    assert world.where("/v2.1/servers", "web") == list(NAMES)
    again = send(world, "POST", "/v2.1/os-keypairs", key)
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
def test_what_cannot_be_replicated_is_refused(world: World, path: str, document: Any, status: int, code: str) -> None:
    before = {name: json.dumps(state.things) for name, state in world.states.items()}
    answer = send(world, "POST", path, document)
    assert (answer.status, answer.code) == (status, code)
    assert before == {name: json.dumps(state.things) for name, state in world.states.items()}


@pytest.mark.parametrize(
    "header", [{"X_Scope_On_Failure": "hope"}, {"X_Scope_Match": "id"}, {"Idempotency_Key": "a b"}]
)
def test_a_malformed_wish_is_refused(world: World, header: dict[str, str]) -> None:
    answer = network(world, "wish", **header)
    assert (answer.status, answer.code) == (400, "request.malformed")


def test_a_thing_that_one_cloud_has_is_changed_there(world: World) -> None:
    world.states["CloudTwo"].things[NETWORKS]["9" * 32] = {"id": "9" * 32, "name": "alone"}
    for clouds in (ALL, "CloudOne | CloudTwo", "CloudOne | Dead | CloudTwo"):
        answer = send(world, "PUT", f"{NETWORKS}/{'9' * 32}", {"network": {"name": clouds}}, clouds)
        assert answer.status == 200, answer.body
        assert world.where(NETWORKS, clouds) == ["CloudTwo"]
    assert send(world, "DELETE", f"{NETWORKS}/{'9' * 32}").status == 204
    assert send(world, "DELETE", f"{NETWORKS}/{'9' * 32}").status == 404


def test_an_alternative_is_tried_only_if_the_first_surely_has_not_received_it(world: World) -> None:
    answer = network(world, "one-of", "Dead | CloudTwo")
    assert (answer.status, world.where(NETWORKS, "one-of")) == (201, ["CloudTwo"])
    world.fail("CloudTwo", "POST", LOST, after=True)
    lost = network(world, "maybe", "CloudTwo | CloudThree")
    assert lost.status == 502
    assert world.where(NETWORKS, "maybe") == ["CloudTwo"]
    world.fail("CloudTwo", "POST", reply(503, {}))
    assert network(world, "busy", "CloudTwo | CloudThree").status == 503
    assert world.where(NETWORKS, "busy") == []


def test_one_cloud_under_an_operator_gets_the_request_as_it_is(world: World) -> None:
    answer = network(world, "plain", "CloudTwo & CloudTwo")
    assert (answer.status, answer.get("X-Scope-Replica")) == (201, None)
    assert world.where(NETWORKS, "plain") == ["CloudTwo"]


def test_stages_on_record_say_what_is_where(world: World) -> None:
    answer = network(world, "record", Idempotency_Key="record")
    assert answer.status == 201
    operation = world.store.get(f"{PROJECT}/u", "record")
    assert operation is not None
    assert {part.cloud: part.stage for part in operation.parts} == dict.fromkeys(NAMES, Stage.DONE)
    assert operation.sealed is None
    assert Path(world.store.database.file or "").stat().st_mode & 0o077 == 0


def test_a_project_sees_checks_and_forgets_its_replicas(world: World) -> None:
    answer = network(world, "listed")
    members, name = read_members(str(answer.get("X-Scope-Replicas"))), str(answer.get("X-Scope-Replica"))
    shown = [{"cloud": cloud, "id": member} for cloud, member in sorted(members.items())]

    def asked(method: str, query: str = "", token: str = TOKEN) -> Answer:
        return ask(world.gateway.url("image"), f"/openstackoid/v1/replicas{query}", method=method, token=token)

    newest = asked("GET").json["replicas"][0]
    assert (newest["id"], newest["kind"], newest["members"]) == (name, "network.network", shown)
    with world.states["CloudTwo"].lock:
        del world.states["CloudTwo"].things[NETWORKS][members["CloudTwo"]]
    world.fail("CloudThree", "GET", reply(403, {}))
    checked = asked("GET", f"?id={name}&check=1").json["replica"]["members"]
    states = {member["cloud"]: member["state"] for member in checked}
    assert states == {"CloudOne": "there", "CloudTwo": "missing", "CloudThree": "status.403"}
    assert asked("GET", token=STRANGER).json["replicas"] == []
    for method in ("GET", "DELETE"):
        refused = asked(method, f"?id={name}", STRANGER)
        assert (refused.status, refused.code) == (404, "replica.missing")
    assert asked("DELETE", f"?id={name}").status == 204
    assert asked("GET", f"?id={name}").code == "replica.missing"
    assert world.where(NETWORKS, "listed") == ["CloudOne", "CloudThree"]


def test_changes_that_wait_are_listed(world: World) -> None:
    answer = network(world, "waits")
    members, name = read_members(str(answer.get("X-Scope-Replicas"))), answer.get("X-Scope-Replica")

    def waiting() -> list[dict[str, Any]]:
        body = ask(world.gateway.url("image"), "/openstackoid/v1/replicas").json
        return [one for one in body["operations"] if one["replica"] == name]

    world.fail("CloudThree", "PUT", reply(503, {}), times=10**6)
    assert send(world, "PUT", f"{NETWORKS}/{members['CloudOne']}", {"network": {"name": "waited"}}).status == 200
    (operation,) = waiting()
    assert (operation["does"], operation["kind"]) == ("update", "network.network")
    assert {cloud["cloud"]: cloud["stage"] for cloud in operation["clouds"]} == {
        "CloudOne": "done",
        "CloudTwo": "done",
        "CloudThree": "accepted",
    }
    world.states["CloudThree"].before = lambda _seen, _name: None
    until(lambda: not waiting())
    assert world.where(NETWORKS, "waited") == list(NAMES)


def test_a_read_needs_no_database(world: World) -> None:
    """Members are then found as any other thing is."""
    members = read_members(str(network(world, "read").get("X-Scope-Replicas")))
    file = Path(world.store.database.file or "")
    aside = file.with_name("aside")
    file.rename(aside)
    try:
        shown = send(world, "GET", f"{NETWORKS}/{members['CloudTwo']}")
        assert (shown.status, shown.get("X-Scope-Cloud"), shown.get("X-Scope-Replica")) == (200, "CloudTwo", None)
        refused = network(world, "unrecorded")
        assert (refused.status, refused.code) == (503, "store.failed")
        assert world.where(NETWORKS, "unrecorded") == []
    finally:
        aside.rename(file)
