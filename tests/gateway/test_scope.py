"""Where a request goes by its scope, and what it carries there."""

import json

import pytest
from tests.gateway.conftest import World
from tests.gateway.wire import SERVICE_TOKEN, TOKEN, ask, raw, scope

EXPLICIT = '{"*":"CloudOne","identity":"CloudOne","image":"CloudTwo"}'
ON_TOKEN = f'{TOKEN}!SCOPE!{{"image": "CloudTwo"}}'


def test_without_a_scope_the_backend_sees_what_the_client_sent(world: World) -> None:
    sent = [("Accept", "*/*"), ("X-Service-Token", SERVICE_TOKEN), ("X-Odd", "  kept"), ("X-Roles", "x")]
    answer = ask(world.one.url("image"), "/v2/plain?limit=2&name=a%2Fb", sent)
    assert answer.json == {"cloud": "CloudOne", "service": "image", "target": "/v2/plain?limit=2&name=a%2Fb"}
    seen = world.cloud_one["image"].seen("/v2/plain")
    assert (seen.get("X-Openstack-Request-Id") or "").startswith("req-")
    kept = [(name, value) for name, value in seen.headers if name != "X-Openstack-Request-Id"]
    host = world.one.url("image").removeprefix("http://")
    assert sorted(kept) == sorted(
        [("Host", host), ("X-Auth-Token", TOKEN), *((name, value.strip()) for name, value in sent)]
    )


@pytest.mark.parametrize(
    ("prefix", "headers", "cloud"),
    [
        ("", scope(image="CloudTwo"), "CloudTwo"),
        ("", {"X-Auth-Token": ON_TOKEN}, "CloudTwo"),
        ("/scope/images-elsewhere", {}, "CloudTwo"),
        ("/scope/images-elsewhere/image", {}, "CloudTwo"),
        ("", scope(compute="CloudTwo"), "CloudOne"),
        ("", scope(**{"*": "CloudTwo"}), "CloudTwo"),
        ("", scope(Image="CloudTwo"), "CloudTwo"),
        # The header wins over the token, the token over the path.
        ("", scope(image="CloudOne") | {"X-Auth-Token": ON_TOKEN}, "CloudOne"),
        ("/scope/images-elsewhere", scope(image="CloudOne"), "CloudOne"),
        ("/scope/images-elsewhere", {"X-Auth-Token": TOKEN + '!SCOPE!{"image": "CloudOne"}'}, "CloudOne"),
        ("/scope/dead", {"X-Auth-Token": ON_TOKEN}, "CloudTwo"),
    ],
)
def test_the_scope_is_found_in_its_three_forms(world: World, prefix: str, headers: dict[str, str], cloud: str) -> None:
    answer = ask(world.one.url("image"), f"{prefix}/v2/forms", headers)
    assert answer.status == 200
    assert answer.json == {"cloud": cloud, "service": "image", "target": "/v2/forms"}


@pytest.mark.parametrize("url", ["http://127.0.0.1", "HTTPS://cloud.example:8443", "http://[::1]:9292"])
def test_a_target_may_be_a_whole_url(world: World, url: str) -> None:
    """As for a proxy (RFC 9112, 3.2.2): its host counts, not the header's."""
    for scope_line, clouds in (
        ("", world.cloud_one),
        (f"X-Scope: {json.dumps({'image': 'CloudTwo'})}\r\n", world.cloud_two),
    ):
        head = f"GET {url}/v2/whole?a=b HTTP/1.1\r\nHost: other\r\nX-Auth-Token: {TOKEN}\r\n{scope_line}Connection: close\r\n\r\n"
        assert raw(world.one.url("image"), head.encode()).startswith(b"HTTP/1.1 200 ")
        seen = clouds["image"].seen("/v2/whole")
        assert seen.target == "/v2/whole?a=b"
        if clouds is world.cloud_one:
            assert seen.get("Host") == url.partition("://")[2]
    for number, wrong in enumerate(("http://user@x", "ftp://x", "http://", "http:/x", "x")):
        head = (
            f"GET {wrong}/v2/wrong-{number} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {TOKEN}\r\nConnection: close\r\n\r\n"
        )
        assert raw(world.one.url("image"), head.encode()).split(b" ")[1] == b"400"
        assert not world.cloud_one["image"].all(f"/v2/wrong-{number}")


@pytest.mark.parametrize("given", [{}, scope(image="CloudTwo")])
def test_a_websocket_is_refused_by_name(world: World, given: dict[str, str]) -> None:
    """It was passed on as a plain request; other upgrades may be ignored (RFC 9110, 7.8)."""
    upgrade = {"Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x" * 22 + "=="}
    answer = ask(world.one.url("image"), "/v2/socket", given | upgrade | {"Upgrade": "WebSocket"})
    assert (answer.status, answer.code) == (501, "request.upgrade")
    assert not world.cloud_one["image"].all("/v2/socket")
    plain = given | {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "x"}
    assert ask(world.one.url("image"), "/v2/h2c", plain).status == 200


def test_the_scope_is_made_explicit_at_the_entry_and_put_on_the_token(world: World) -> None:
    headers = scope(image="CloudTwo") | {"X-Service-Token": SERVICE_TOKEN}
    ask(world.one.url("image"), "/v2/explicit-remote", headers)
    ask(world.one.url("compute"), "/v2.1/explicit-local", headers)
    there = world.cloud_two["image"].seen("/v2/explicit-remote")
    here = world.cloud_one["compute"].seen("/v2.1/explicit-local")
    assert there.get("X-Auth-Token") == here.get("X-Auth-Token") == f"{TOKEN}!SCOPE!{EXPLICIT}"
    assert there.get("X-Scope") is here.get("X-Scope") is None
    # A service token stays where it was issued; the hop list ends at the gateway.
    assert (here.get("X-Service-Token"), there.get("X-Service-Token")) == (SERVICE_TOKEN, None)
    assert here.get("X-Openstackoid-Hops") is there.get("X-Openstackoid-Hops") is None


def test_what_a_peer_gets(world: World) -> None:
    """The peer here is a bare upstream: it shows what leaves a gateway."""
    headers = scope(image="Pieces") | {"X-Service-Token": SERVICE_TOKEN, "X-OpenStackoid-Own": "x", "Accept": "a/b"}
    pieces = json.loads(ask(world.one.url("image"), "/openstackoid/v1/peers").body)["peers"]
    assert [peer["state"] for peer in pieces if peer["name"] == "Pieces"] == ["up"]
    world.split.on("/pieces/v2/peer", world.cloud_one["image"].default)
    answer = ask(world.one.url("image"), "/v2/peer?a=b", headers)
    assert answer.json == {"cloud": "CloudOne", "service": "image", "target": "/pieces/v2/peer?a=b"}
    seen = world.split.seen("/pieces/v2/peer")
    assert json.loads(seen.get("X-Scope") or "") == {"*": "CloudOne", "identity": "CloudOne", "image": "Pieces"}
    assert seen.get("X-Auth-Token") == TOKEN
    assert seen.get("X-Openstackoid-Hops") == "CloudOne"
    assert seen.get("X-Service-Token") is None
    assert seen.get("X-OpenStackoid-Own") is None
    assert seen.get("Accept") == "a/b"
    assert seen.get("Host") == f"127.0.0.1:{world.split.port}"


def test_keystone_reads_plain_tokens(world: World) -> None:
    on_both = {"X-Auth-Token": ON_TOKEN, "X-Subject-Token": ON_TOKEN}
    assert ask(world.one.url("identity"), "/v3/auth/tokens?plain=1", on_both).status == 200
    seen = world.cloud_one["identity"].seen("/v3/auth/tokens?plain=1")
    assert (seen.get("X-Auth-Token"), seen.get("X-Subject-Token")) == (TOKEN, TOKEN)
    assert ask(world.one.url("identity"), "/v3/users-plain", scope(image="CloudTwo")).status == 200
    assert world.cloud_one["identity"].seen("/v3/users-plain").get("X-Auth-Token") == TOKEN


def test_what_names_headers_twice_for_wsgi_is_dropped(world: World) -> None:
    url = world.one.url("image")
    head = (
        "GET /v2/twins HTTP/1.1\r\nHost: x\r\nConnection: close, X-Named, X-Auth-Token\r\nX-Named: 1\r\n"
        f"X-Auth-Token: {TOKEN}\r\nX_Auth_Token: gAAAAAmarker-twin\r\nx_scope: {{}}\r\nX-Service_Token: twin\r\n"
        "X_OpenStackoid_Hops: CloudOne\r\nX_Fine: kept\r\nTE: trailers\r\nKeep-Alive: 5\r\n\r\n"
    )
    assert b" 200 " in raw(url, head.encode()).partition(b"\r\n")[0] + b" "
    seen = world.cloud_one["image"].seen("/v2/twins")
    names = {name.lower() for name, _ in seen.headers}
    assert names == {"host", "x-auth-token", "x_fine", "x-openstack-request-id"}
    assert seen.get("X-Auth-Token") == TOKEN


@pytest.mark.parametrize("name", ["X-Auth-Token", "X-Subject-Token", "X-Service-Token", "X-Scope"])
def test_doubled_headers_are_refused(world: World, name: str) -> None:
    answer = ask(world.one.url("image"), "/v2/doubled", [(name, "{}"), (name.lower(), "{}")])
    assert (answer.status, answer.code) == (400, "request.malformed")
    assert name in answer.error
    assert not world.cloud_one["image"].all("/v2/doubled")


@pytest.mark.parametrize(
    "headers", [{"X-Openstackoid-Hops": "CloudTwo,CloudOne"}, scope(image="Mirror")], ids=["hop list", "mirror"]
)
def test_a_loop_is_answered_508(world: World, headers: dict[str, str]) -> None:
    answer = ask(world.one.url("image"), "/v2/loop", headers)
    assert (answer.status, answer.code) == (508, "request.loop")
    assert "CloudOne" in answer.error
    assert not world.cloud_one["image"].all("/v2/loop")


@pytest.mark.parametrize("hops", ["a b", ",".join(f"c{n}" for n in range(9)), ""])
def test_a_hop_list_that_is_none_is_refused(world: World, hops: str) -> None:
    assert ask(world.one.url("image"), "/v2/hops", {"X-Openstackoid-Hops": hops}).code == "request.malformed"


def test_steps_out_of_a_service_are_refused(world: World) -> None:
    for path in ("/image/../compute/x", "/image/%2e%2e/compute/x", "/image/a\\..\\x", "/image/%2E./x"):
        url = world.two.url("image").removesuffix("/image")
        assert ask(url, path).code == "request.malformed", path
    assert ask(world.one.url("image"), "/v2/a.b..c/x%2Fy").json["target"] == "/v2/a.b..c/x%2Fy"


def test_both_clouds_tell_of_a_request_under_one_id(world: World) -> None:
    given = "req-6f2b1f0a-9f5a-4a55-8d8c-0d2d4c1c3a11"
    answer = ask(world.one.url("image"), "/v2/joined?x=1", scope(image="CloudTwo") | {"X-Openstack-Request-Id": given})
    assert answer.status == 200
    entry, there = world.one.line("/v2/joined"), world.two.line("/image/v2/joined")
    assert entry["global_request_id"] == there["global_request_id"] == given
    assert world.cloud_two["image"].seen("/v2/joined").get("X-Openstack-Request-Id") == given
    assert set(entry) == {
        *("time", "cloud", "request_id", "global_request_id", "client", "method", "service", "path"),
        *("scope", "saved_scope", "decision", "peer", "status", "error", "ms"),
        *("home", "user", "project", "local_user", "local_project", "agreement"),
    }
    assert entry["ms"] > 0
    assert [entry[key] for key in ("cloud", "client", "method", "service", "decision", "peer", "status")] == [
        *("CloudOne", "127.0.0.1", "GET", "image", "remote", "CloudTwo", 200)
    ]
    assert entry["scope"] == {"image": "CloudTwo"}
    assert (there["cloud"], there["decision"], there["peer"]) == ("CloudTwo", "local", "CloudTwo")
    # A request id that OpenStack would not believe is replaced.
    ask(world.one.url("image"), "/v2/forged", {"X-Openstack-Request-Id": "req-../../x"})
    assert len(world.one.line("/v2/forged")["global_request_id"]) == 40
