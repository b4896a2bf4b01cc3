"""The first request to another cloud goes through the gateway, the next one straight: what it carries there, and for how long.

To a cloud of the same owner any request; to one of another owner image data alone.
"""

import json
import os
import re
from functools import partial
from pathlib import Path

import pytest
from tests.gateway.owners import ALICE, payload, plain, user_id
from tests.gateway.test_trust_leaving import PRIVATE
from tests.gateway.wire import SERVICE_TOKEN, TOKEN, ask, raw, reply, until
from tests.haproxy.test_traps import everywhere, fresh, image_data, parsed
from tests.haproxy.world import Authority, World, marked, names

from openstackoid.haproxy import maps

REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def learn(world: World, cloud: str, token: str, headers: dict[str, str] | None = None) -> dict[str, str]:
    """A scope of its own that HAProxy was taught for this token."""
    given = headers or marked("image", cloud)
    path, text = fresh(), given["X-Scope"]
    assert ask(world.one.url("image"), path, given, token=token).status == 200
    assert world.one.passed(path)

    def known() -> bool:
        ask(world.one.url("image"), fresh(), given, token=token)
        if cloud == "CloudThree":
            return f"GET|image|{text}" in world.one.proxy.ways
        return maps.user(token, text) in world.one.proxy.tokens

    until(known)
    return given


def straight(world: World, headers: dict[str, str], token: str, path: str | None = None) -> str:
    path = path or image_data()
    answer = ask(world.one.url("image"), path, headers, token=token)
    assert answer.status == 200, answer
    assert not world.one.passed(path.partition("?")[0])
    return path


def test_each_request_has_an_id_of_its_own(world: World) -> None:
    mine = world.one.keystone.issue("alice", "member", "reader")
    headers = learn(world, "CloudBare", mine)
    paths = [image_data() for _ in range(20)]
    head = ["Host: x", f"X-Auth-Token: {mine}", f"X-Scope: {headers['X-Scope']}"]
    # On one connection, and each on its own.
    requests = [
        "\r\n".join([f"GET {path} HTTP/1.1", *head, *(["Connection: close"] * (path == paths[9])), "", ""])
        for path in paths
    ]
    raw(world.one.url("image"), "".join(requests[:10]).encode())
    for path in paths[10:]:
        ask(world.one.url("image"), path, headers, token=mine)
    found = {world.bare.seen(f"/image{path}").get("X-Openstack-Request-Id") or "" for path in paths}
    assert len(found) == 20
    assert all(REQUEST_ID.fullmatch(each) for each in found)


def test_what_goes_straight_to_another_owner(world: World) -> None:
    mine = world.one.keystone.issue("alice", "member", "reader")
    headers = learn(world, "CloudBare", mine)
    lines = [f"{name}: gAAAAAmarker-{number}" for number, name in enumerate(PRIVATE) if "Openstackoid" not in name]
    path = image_data()
    head = [
        *(f"GET {path} HTTP/1.1", "Host: x", "Connection: close", f"X-Auth-Token: {mine}", "Accept: a/b"),
        *(
            "Range: bytes=1-2",
            "Api-Key: gAAAAAmarker-own",
            "X-Effective-User: gAAAAAmarker-me",
            "Cookie: gAAAAAmarker-c",
        ),
        *(f"X-Scope: {headers['X-Scope']}", *(line for line in lines if "Proxy-" not in line), "", ""),
    ]
    assert parsed(raw(world.one.url("image"), "\r\n".join(head).encode())).json["cloud"] == "CloudBare"
    assert not world.one.passed(path)
    seen = world.bare.seen(f"/image{path}")
    assert seen.target == f"/image{path}"
    expected = {"host", "accept", "range", "x-auth-token", "x-openstackoid-hops", "x-openstack-request-id"}
    assert names(seen) == expected
    assert "gAAAAAmarker" not in repr(seen)
    assert seen.get("X-Openstackoid-Hops") == "CloudOne"
    assert seen.get("Host") == f"127.0.0.1:{world.bare.port}"
    assert REQUEST_ID.fullmatch(seen.get("X-Openstack-Request-Id") or "")
    said = payload(seen.get("X-Auth-Token") or "")
    assert (said["iss"], said["aud"], said["sub"], said["roles"]) == (
        "CloudOne",
        "CloudBare",
        ALICE,
        ["member", "reader"],
    )
    assert said["os_scope"]["image"] == "CloudBare"
    assert "cloudbare.example" in world.bare.names  # HAProxy asks for it; the gateway, by address, for none


def test_it_is_the_same_token_and_the_other_cloud_takes_it(world: World) -> None:
    mine = world.one.keystone.issue("alice", "member")
    headers = learn(world, "CloudTwo", mine)
    asked = world.one.keystone.asked(mine)
    for _ in range(3):
        path = straight(world, headers, mine)
        seen = world.two["image"].seen(path)
    assert payload(plain(seen))["aud"] == "CloudTwo"
    assert names(seen) & {"x-service-token", "x-openstackoid-hops", "x-scope"} == set()
    assert world.one.keystone.asked(mine) == asked


def test_nobody_elses_token_is_replaced_by_it(world: World) -> None:
    mine, other = (world.one.keystone.issue(name, "member") for name in ("alice", "bob"))
    headers = learn(world, "CloudBare", mine)
    for token in (other, mine + "x", mine[:-1], mine.upper()):
        path = image_data()
        answer = ask(world.one.url("image"), path, headers, token=token)
        assert world.one.passed(path)
        assert (answer.status == 200) is (token == other)
    path = image_data()
    assert ask(world.one.url("image"), path, headers, token=None).status in {200, 401}
    assert world.one.passed(path)
    subjects = {payload(plain(seen))["sub"] for seen in world.bare.all("/image/v2/images/") if seen.get("X-Auth-Token")}
    assert subjects >= {ALICE, user_id("bob")}


def test_on_the_token_it_is_the_same(world: World) -> None:
    """As services pass it on: one text, explicit, on the token."""
    mine = world.one.keystone.issue("alice", "member")
    text = json.dumps({"*": "CloudOne", "identity": "CloudOne", "image": "CloudBare"}, separators=(",", ":"))
    carried = {"X-Auth-Token": f"{mine}!SCOPE!{text}", "X-Service-Token": SERVICE_TOKEN}
    asked = partial(ask, world.one.url("image"), headers=carried)
    until(lambda: asked(fresh()).status == 200 and maps.user(mine, text) in world.one.proxy.tokens)
    path = straight(world, carried, mine)
    seen = world.bare.seen(f"/image{path}")
    assert names(seen) == {
        "host",
        "x-auth-token",
        "x-openstackoid-hops",
        "x-openstack-request-id",
        "accept-encoding",
    } - {"accept-encoding"}
    assert mine not in repr(seen)
    # Here, it stays as it is.
    explicit = {"X-Auth-Token": f"{mine}!SCOPE!{text}", "X-Service-Token": SERVICE_TOKEN}
    first = partial(ask, world.one.url("network"), "/v2.0/first", explicit)
    until(lambda: first().status == 200 and f"GET|network|{text}" in world.one.proxy.ways)
    mark = f"/v2.0/{os.urandom(6).hex()}"
    assert ask(world.one.url("network"), mark, explicit).status == 200
    assert not world.one.passed(mark)
    assert world.one["network"].seen(mark).get("X-Auth-Token") == f"{mine}!SCOPE!{text}"


def test_a_cloud_of_the_same_owner_gets_the_users_token(world: World) -> None:
    headers = learn(world, "CloudThree", TOKEN)
    path = straight(world, headers | {"X-Service-Token": SERVICE_TOKEN}, TOKEN)
    assert everywhere(world, path) == ["CloudThree"]
    seen = world.three["image"].seen(path)
    token, _, scope = (seen.get("X-Auth-Token") or "").partition("!SCOPE!")
    assert token == TOKEN
    assert json.loads(scope)["image"] == "CloudThree"
    assert seen.get("X-Service-Token") is None
    line = world.three.gateway.line(f"/image{path}")
    assert (line["decision"], line["peer"]) == ("local", "CloudThree")


def test_bodies_cross_straight_as_well(world: World) -> None:
    body = os.urandom(300_000)
    for cloud in ("CloudThree",):
        headers = marked("image", cloud)
        put = partial(ask, world.one.url("image"), headers=headers, method="PUT", body=b"x")
        key = f"PUT|image|{headers['X-Scope']}"
        until(lambda put=put, key=key: put(fresh()).status == 200 and key in world.one.proxy.ways)  # type: ignore[misc]
        path = fresh()
        assert ask(world.one.url("image"), path, headers, method="PUT", body=body).status == 200
        assert not world.one.passed(path)
        assert world.three["image"].seen(path).raw == body
        # Reading was not taught by writing.
        path = fresh()
        assert ask(world.one.url("image"), path, headers).status == 200
        assert world.one.passed(path)


@pytest.mark.parametrize("cloud", ["CloudTwo", "CloudThree"])
def test_links_lead_to_the_entrys_frontends(world: World, cloud: str) -> None:
    """Those of another owner the gateway looks at; those of the same owner are made at the other end."""
    there = world.two if cloud == "CloudTwo" else world.three
    mine = world.one.keystone.issue("alice", "member")
    headers = learn(world, cloud, mine)
    path = fresh()

    def answer(seen: object, _: object) -> bytes:
        own = there.frontends["image"]
        return reply(200, {"self": f"{own}{path}", "file": f"{own}{path}/file"}, {"Location": f"{own}{path}/made"})

    there["image"].on(path, answer)
    told = ask(world.one.url("image"), path, headers, token=mine)
    assert world.one.passed(path) is (cloud == "CloudTwo")
    ours = world.one.url("image")
    assert told.json == {"self": f"{ours}{path}", "file": f"{ours}{path}/file"}
    assert told.get("Location") == f"{ours}{path}/made"


def test_a_wrong_certificate_gets_nothing(world: World, tmp_path: Path) -> None:
    """Another name, or another authority: refused by name, and the token never leaves."""
    mine = world.one.keystone.issue("alice", "member")
    headers = learn(world, "CloudBare", mine)
    good = world.bare.signer
    try:
        for signer, shown in (
            (good, ("cloudtwo.example", "127.0.0.9")),
            (Authority(tmp_path), ("cloudbare.example", "127.0.0.1")),
        ):
            world.bare.signer = signer
            world.bare.show(*shown)
            world.bare.cut()
            path = image_data()
            answer = ask(world.one.url("image"), path, headers, token=mine)
            assert (answer.status, answer.code) == (502, "peer.unreachable")
            assert not world.bare.all(f"/image{path}")
            assert not world.one.passed(path)
    finally:
        world.bare.signer = good
        world.bare.show("cloudbare.example", "127.0.0.1")
    path = fresh()
    until(lambda: ask(world.one.url("image"), path, headers, token=mine).status == 200)


def test_a_place_in_another_versions_form_gets_nothing_in_the_clear(world: World) -> None:
    headers = learn(world, "CloudThree", TOKEN)
    key, proxy = "CloudThree|image", world.one.proxy
    place, path = proxy.peers[key], fresh()
    assert place.startswith("P")
    proxy.tell(f"set map {world.one.short / 'peers.map'} {key} {place[1:]}")
    try:
        answer = ask(world.one.url("image"), path, headers, token=TOKEN)
    finally:
        proxy.tell(f"set map {world.one.short / 'peers.map'} {key} {place}")
    assert (answer.status, answer.code) == (502, "peer.unreachable")
    assert not everywhere(world, path)
    straight(world, headers, TOKEN)


def test_no_scope_with_another_owners_identity_is_taught(world: World) -> None:
    """Its users come with tokens of their own cloud, which the gateway exchanges: a request without a token must not lead past it."""
    one, text = world.one, '{"identity":"CloudTwo"}'
    own = marked("identity", "CloudThree")  # a cloud of the same owner: its tokens are valid here

    def known() -> bool:
        for token in (None, one.keystone.issue("alice", "member")):
            ask(one.url("image"), fresh(), {"X-Scope": text}, token=token)
        ask(one.url("image"), fresh(), own, token=one.keystone.issue("alice", "member"))
        return f"GET|image|{own['X-Scope']}" in one.proxy.ways

    until(known)
    assert f"GET|image|{text}" not in one.proxy.ways
    path = fresh()
    ask(one.url("image"), path, {"X-Scope": text}, token=None)
    assert one.passed(path)
