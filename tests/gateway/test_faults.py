"""What cannot work is refused with what a user needs to know; what is dead hurts nobody else."""

import select
import socket
import time

import pytest
from tests.gateway.conftest import World
from tests.gateway.wire import QUERY, TOKEN, Seen, ask, connect, everything, reply, scope, until


@pytest.mark.parametrize(
    ("service", "method", "path", "headers", "status", "code", "words"),
    [
        ("image", "GET", "/v2/x", {"X-Scope": '{"image": "Nowhere"}'}, 400, "cloud.unknown", ["Nowhere", "CloudTwo"]),
        (
            "compute",
            "DELETE",
            "/v2.1/servers/1",
            scope(compte="CloudTwo"),
            400,
            "service.unknown",
            ["compte", "compute?"],
        ),
        ("image", "GET", "/v2/x", scope(imgae="CloudTwo"), 400, "service.unknown", ["imgae", "mean image?"]),
        ("image", "GET", "/v2/x", scope(glance="CloudTwo"), 400, "service.unknown", ["glance", "mean image?"]),
        ("image", "GET", "/v2/x", scope(qqqq="CloudTwo"), 400, "service.unknown", ["qqqq", "They have: "]),
        ("image", "GET", "/v2/x", {"X-Scope": '{"image": }'}, 400, "scope.malformed", ["character 10"]),
        ("image", "GET", "/v2/x", {"X-Auth-Token": f"{TOKEN}!SCOPE!x"}, 400, "scope.malformed", ["JSON object"]),
        ("network", "GET", "/v2/x", scope(network="Pieces"), 404, "service.missing", ["Pieces", "network", "image"]),
        ("image", "GET", "/v2/x", scope(image="CloudOne & CloudTwo"), 501, "scope.operators", ["CloudOne & CloudTwo"]),
        ("image", "GET", "/v2/x", scope(image="*"), 501, "scope.operators", ["image"]),
        ("compute", "POST", "/v2.1/servers", scope(network="CloudTwo"), 400, "scope.split", ["network from CloudTwo"]),
        ("image", "GET", "/scope/none/v2", {}, 404, "scope.unknown", ["images-elsewhere"]),
        ("image", "GET", "/v2/x", scope(image="Dead"), 502, "peer.unreachable", ["Dead"]),
        ("image", "GET", "/v2/x", scope(image="DeadKnown"), 502, "peer.unreachable", ["DeadKnown"]),
        ("image", "GET", "/v2/x", scope(image="Liar"), 502, "peer.answer", ["Liar", "says that it is CloudTwo"]),
    ],
)
def test_what_is_refused(
    world: World,
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    code: str,
    words: list[str],
) -> None:
    answer = ask(world.one.url(service), f"{path}?q={QUERY}", headers, method=method, body=b"{}")
    assert (answer.status, answer.code) == (status, code)
    assert [word for word in words if word not in answer.error] == []
    line = world.one.line(path)
    assert (line["status"], line["error"], line["request_id"]) == (status, code, answer.get("X-Openstack-Request-Id"))
    assert not world.cloud_one[service].all(path)


@pytest.mark.parametrize("name", ["object-store", "volumev3", "Object-Store", "%6fbject-store", "cinder"])
def test_a_service_that_is_not_served_is_refused_below_a_saved_scope(world: World, name: str) -> None:
    """It went, with its token, to the service without a prefix."""
    path = f"/{name}/v1/AUTH_x"
    for service in ("identity", "image"):
        answer = ask(world.one.url(service), f"/scope/images-elsewhere{path}?q={QUERY}", method="DELETE")
        assert (answer.status, answer.code) == (404, "service.missing")
        assert "compute, " in answer.error
        assert not world.cloud_one[service].all(path)


def test_looking_at_a_split_scope_is_free(world: World) -> None:
    assert ask(world.one.url("compute"), "/v2.1/servers", scope(network="CloudTwo")).status == 200
    answer = ask(world.one.url("network"), "/v2.0/ports", scope(network="CloudTwo"), method="POST", body=b"{}")
    assert answer.json["cloud"] == "CloudTwo"


def test_a_peer_that_never_answers_is_given_up_and_hurts_nobody(world: World) -> None:
    began = time.monotonic()
    with connect(world.one.url("image")) as waiting:
        head = f"GET /v2/silent HTTP/1.1\r\nHost: x\r\nX-Scope: {scope(image='Silent')['X-Scope']}\r\nConnection: close\r\n\r\n"
        waiting.sendall(head.encode())
        for _ in range(10):  # none of them waits for it, or all would take its time
            assert ask(world.one.url("image"), "/v2/meanwhile").status == 200
        assert not select.select([waiting], [], [], 0)[0]
        answer = everything(waiting)
    assert b" 504 " in answer.splitlines()[0]
    assert b"peer.timeout" in answer
    assert b"Silent" in answer
    assert time.monotonic() - began > 9.9  # what it may take, and not before


def test_the_audit_names_a_peer_that_was_never_reached(world: World) -> None:
    assert ask(world.one.url("image"), "/v2/never-reached", scope(image="Dead")).status == 502
    line = world.one.line("/v2/never-reached")
    assert (line["decision"], line["peer"], line["error"]) == ("reject", "Dead", "peer.unreachable")


def test_a_backend_that_is_dead_or_talks_nonsense(world: World) -> None:
    def hang_up(_: Seen, connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    upstream = world.cloud_one["placement"]
    upstream.on("/hang-up", hang_up)
    upstream.on("/nonsense", b"what?\r\n\r\n")
    upstream.on("/half", reply(200, b"abc", {"Content-Length": "10", "Connection": "close"}))
    for path in ("/hang-up", "/nonsense"):
        answer = ask(world.one.url("placement"), path, method="POST", body=b"{}")
        assert (answer.status, answer.code) == (502, "backend.unreachable")
        assert "CloudOne's placement service" in answer.error
    upstream.close()
    until(lambda: ask(world.one.url("placement"), "/closed").status == 502)
    assert ask(world.one.url("placement"), "/closed").code == "backend.unreachable"
    # python-cinderclient, and with it a page of Horizon, fails at an error for a version document that has no `versions`.
    for path, versions in (("/", []), ("/v3", []), ("/v3/volumes", None)):
        answer = ask(world.one.url("placement"), path)
        assert (answer.status, answer.code, answer.json.get("versions")) == (502, "backend.unreachable", versions)


def test_what_a_peer_serves_is_kept_while_it_is_away(world: World) -> None:
    def state() -> tuple[str, list[str]]:
        peers = ask(world.one.url("image"), "/openstackoid/v1/peers").json["peers"]
        return next((peer["state"], peer["services"]) for peer in peers if peer["name"] == "Pieces")

    until(lambda: state() == ("up", ["image"]))
    world.split.on("/.well-known", reply(500))
    until(lambda: state() == ("down", ["image"]))
    world.split.on("/pieces/v2/kept", reply(200, {"kept": True}))
    assert ask(world.one.url("image"), "/v2/kept", scope(image="Pieces")).json == {"kept": True}
    del world.split.handlers["/.well-known"]
    until(lambda: state() == ("up", ["image"]))


@pytest.mark.parametrize(
    "head",
    [
        f"GET / HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {TOKEN}{'x' * 70000}\r\n\r\n",
        f"GET /{'x' * 70000} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {TOKEN}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX-Auth-Token : {TOKEN}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {TOKEN}\0\r\n\r\n",
        f"{TOKEN}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n1234",
    ],
    ids=["long header", "long path", "space", "nul", "no request", "both lengths", "negative", "two lengths"],
)
def test_heads_that_cannot_be_read_are_answered_in_our_form(world: World, head: str) -> None:
    with connect(world.one.url("image")) as client:
        client.sendall(head.encode())
        answer = everything(client)
    status, _, body = answer.partition(b"\r\n\r\n")
    assert status.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"request.malformed" in body
    assert TOKEN.encode() not in answer


def test_a_scope_of_16_kb_passes_on_the_token(world: World) -> None:
    services = {f"service-{number:03}-{'x' * 40}": "C" * 64 for number in range(95)} | {"image": "CloudTwo"}
    headers = scope(**services)
    assert 11000 < len(headers["X-Scope"]) < 16000
    answer = ask(world.one.url("identity"), "/v3/long", headers)
    assert answer.status == 200
