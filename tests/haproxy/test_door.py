"""Image data at the door where other clouds call: what HAProxy hands out by itself, and as the gateway would."""

import uuid

from tests.gateway.owners import ALICE, DEMO
from tests.gateway.wire import ask, reply, until
from tests.haproxy.doorway import DATA, Door, fresh, request_id
from tests.haproxy.world import World, names

from openstackoid.audit.filters import direction
from openstackoid.audit.lines import Reader
from openstackoid.trust import tokens


def test_the_second_request_for_data_goes_straight(at: Door) -> None:
    token, first = at.token(), fresh()
    assert at.passes(token, first).status == 200
    by_gateway = at.two["image"].seen(first)
    at.learn(token)  # by this request, or the next one: a gateway that has just begun may not have met HAProxy yet
    for path in (fresh(), fresh()):
        seen = at.straight(token, path)
        assert seen.target == path
        assert seen.get("X-Auth-Token") == tokens.marked(token, at.two.keys) == by_gateway.get("X-Auth-Token")
        assert names(seen) == {"host", "x-auth-token", "x-openstack-request-id"}
        assert seen.get("Host") == by_gateway.get("Host")


def test_looking_at_an_image_teaches_it(at: Door) -> None:
    token = at.token()
    at.learn(token, f"/v2/images/{uuid.uuid4()}")
    at.straight(token)


def test_ranges_and_errors_pass_as_they_are(at: Door) -> None:
    token = at.learn()
    path, nowhere = fresh(), fresh()
    at.two["image"].on(
        path, reply(206, DATA, {"Content-Range": "bytes 0-199999/200001", "ETag": "kept", "X-Own": "not"})
    )
    at.two["image"].on(nowhere, reply(404, {"message": "No image found", "code": "404 Not Found"}))
    answer = at.get(token, path, {"Range": "bytes=0-199999"})
    assert (answer.status, answer.body, answer.get("Content-Range")) == (206, DATA, "bytes 0-199999/200001")
    assert (answer.get("ETag"), answer.get("X-Own")) == ("kept", None)
    assert at.two["image"].seen(path).get("Range") == "bytes=0-199999"
    answer = at.get(token, nowhere)
    assert (answer.status, answer.json["message"]) == (404, "No image found")
    assert not at.two.passed(path)
    assert not at.two.passed(nowhere)


def test_what_clients_and_gateways_send_beside_goes_straight(at: Door) -> None:
    token = at.learn()
    client: dict[str, str | None] = {
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Content-Type": "application/octet-stream",
        "OpenStack-API-Version": "compute 2.90",
        "X-Openstackoid-Assertion": at.one.assertion("CloudTwo")["X-Openstackoid-Assertion"],
    }
    seen = at.straight(token, headers=client)
    kept = {"host", "accept", "accept-encoding", "content-type", "openstack-api-version"}
    assert names(seen) == kept | {"x-auth-token", "x-openstack-request-id"}


def test_answers_hold_nothing_that_the_gateway_would_take_out(at: Door) -> None:
    token, path = at.learn(), fresh()
    own = {"Location": f"{at.two['image'].url}/inner", "X-Openstackoid-Client": "x", "X-OpenStackoid-New": "y"}
    hop = {"Keep-Alive": "timeout=5", "Proxy-Authenticate": "Basic", "Upgrade": "h2c", "Trailer": "X-Own"}
    at.two["image"].on(path, reply(302, b"", own | hop | {"X-Openstack-Request-Id": "req-its-own"}))
    answer = at.get(token, path)
    assert not at.two.passed(path)
    assert {name.lower() for name, _ in answer.headers} == {"content-length", "x-openstack-request-id"}


def test_it_stands_in_haproxys_audit_as_the_gateways(at: Door) -> None:
    token, path, number = at.learn(), fresh(), request_id()
    assert at.passes(token, "/v2/images/looked-at", {"X-Openstack-Request-Id": number}).status == 200
    at.straight(token, path, {"X-Openstack-Request-Id": number})
    log = until(lambda: [line for line in at.two.proxy.said.splitlines() if number in line])
    (told,) = Reader()._lines([line.encode() for line in log])
    line = at.two.gateway.line("/v2/images/looked-at")
    same = ("cloud", "global_request_id", "client", "method", "service", "decision", "peer", "status", "error")
    whose = ("home", "user", "project", "local_user", "local_project", "agreement")
    assert {key: told[key] for key in same + whose} == {key: line[key] for key in same + whose}
    assert (told["path"], told["global_request_id"], direction(told)) == (path, number, "in")
    assert (told["home"], told["user"], told["project"]) == ("CloudOne", ALICE, DEMO)


def test_what_passes_the_gateway_is_written_down_once(at: Door) -> None:
    number = request_id()
    at.passes(at.token(), headers={"X-Openstack-Request-Id": number})
    at.straight(at.learn())
    assert number not in at.two.proxy.said


def test_across_both_clouds_no_gateway_sees_the_data(world: World) -> None:
    """With TLS between them, and a path before each service of the provider that the service itself does not have."""
    mine = world.one.keystone.issue("alice", "member")
    headers = {"X-Scope": '{"image":"CloudTwo"}', "User-Agent": "openstacksdk/4.0"}
    image = f"/v2/images/{uuid.uuid4()}"
    world.two["image"].on(f"{image}/file", reply(200, DATA, {"Content-Type": "application/octet-stream"}))

    def straight() -> bool:
        number = request_id()
        asked = headers | {"X-Openstack-Request-Id": number}
        answer = ask(world.one.url("image"), f"{image}/file", asked, token=mine)
        assert (answer.status, answer.body) == (200, DATA)
        lines = [line for cloud in (world.one, world.two) for line in cloud.proxy.said.splitlines() if number in line]
        told = list(Reader()._lines([line.encode() for line in lines]))
        if [direction(line) for line in told] != ["out", "in"]:
            return False
        assert {line["path"] for line in told} == {f"{image}/file"}
        assert {(line["home"], line["user"], line["project"]) for line in told} == {("CloudOne", ALICE, DEMO)}
        assert {line["agreement"] for line in told} == {told[0]["agreement"]}
        return not [line for cloud in (world.one, world.two) for line in cloud.gateway.lines() if number in str(line)]

    until(lambda: ask(world.one.url("image"), image, headers, token=mine).status == 200 and straight())
    seen = world.two["image"].seen(f"{image}/file")
    assert seen.get("X-Forwarded-Proto") == "https"
    assert "~" in (seen.get("X-Auth-Token") or "")
