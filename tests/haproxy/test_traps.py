"""What a proxy before another one gets wrong: lists in headers, twins, paths, and what only the gateway may say."""

import json
import os
import uuid

import pytest
from tests.gateway.owners import ALICE, payload
from tests.gateway.wire import SERVICE_TOKEN, TOKEN, Answer, ask, raw, until
from tests.haproxy.world import World, names

from openstackoid.haproxy import maps

REMOTE = '{"image":"CloudThree"}'


def fresh() -> str:
    return f"/v2/images/{os.urandom(6).hex()}"


def image_data() -> str:
    return f"/v2/images/{uuid.uuid4()}/file"


def teach(world: World, text: str, kind: str = "image", token: str = TOKEN) -> None:
    """Have a scope taught for reading."""

    def known() -> bool:
        assert ask(world.one.url(kind), fresh(), {"X-Scope": text}, token=token).status == 200
        # To another owner's cloud, only image data goes straight, with a token that was taught.
        return f"GET|{kind}|{text}" in world.one.proxy.ways or maps.user(token, text) in world.one.proxy.tokens

    until(known)


def sent(world: World, lines: list[str], path: str, kind: str = "image", method: str = "GET") -> Answer:
    """A request with exactly these header lines."""
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""])
    return parsed(raw(world.one.url(kind), head.encode("latin-1")))


def parsed(told: bytes) -> Answer:
    head, _, body = told.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if b"chunked" in head.lower():
        body = body.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
    return Answer(int(status.split(" ")[1]), [tuple(line.split(": ", 1)) for line in lines], body)  # type: ignore[misc]


def everywhere(world: World, path: str) -> list[str]:
    """The clouds whose services saw a path."""
    return [
        cloud.name
        for cloud in (world.one, world.two, world.three)
        for upstream in cloud.services.values()
        if upstream.all(path)
    ]


def test_what_has_no_scope_never_meets_the_gateway(world: World) -> None:
    path = fresh()
    lines = [f"X-Auth-Token: {TOKEN}", f"X-Service-Token: {SERVICE_TOKEN}", "Accept: */*", "X-Roles: kept"]
    assert sent(world, lines, path + "?limit=2&name=a%2Fb").json["target"] == path + "?limit=2&name=a%2Fb"
    seen = world.one["image"].seen(path)
    assert names(seen) == {"host", "x-auth-token", "x-service-token", "accept", "x-roles"}
    assert seen.get("Host") == "x"
    assert not world.one.passed(path)


@pytest.mark.parametrize("order", [0, 1])
def test_two_entries_are_not_cut_at_their_comma(world: World, order: int) -> None:
    entries = ['"image":"CloudThree"', '"network":"CloudOne"'][:: -1 if order else 1]
    text = f"{{{','.join(entries)}}}"
    for _ in range(2):
        for headers in ({"X-Scope": text}, {"X-Auth-Token": f"{TOKEN}!SCOPE!{text}"}):
            path = fresh()
            assert ask(world.one.url("image"), path, headers).json["cloud"] == "CloudThree"
            assert everywhere(world, path) == ["CloudThree"]
        until(lambda: _asked_again(world, text) and f"GET|image|{text}" in world.one.proxy.ways)


@pytest.mark.parametrize("text", ['{"image":"CloudThree"', '{"image":"CloudThree', "{", "", '{"image":"CloudThree"}}'])
def test_a_scope_that_is_cut_is_refused(world: World, text: str) -> None:
    teach(world, REMOTE)
    for headers in ({"X-Scope": text}, {"X-Auth-Token": f"{TOKEN}!SCOPE!{text}"}):
        path = fresh()
        answer = ask(world.one.url("image"), path, headers)
        assert (answer.status, answer.code) == (400, "scope.malformed")
        assert everywhere(world, path) == []


@pytest.mark.parametrize("text", ["", REMOTE, '{"image":"CloudOne"}'])
def test_underscore_twins_reach_no_backend(world: World, text: str) -> None:
    if text:
        teach(world, text)
    path = fresh()
    twins = ["X_Auth_Token", "X-Auth_Token", "X_auth-Token", "x_scope", "X-Subject_Token", "X_Service-Token"]
    lines = [f"X-Auth-Token: {TOKEN}", *(f"{name}: gAAAAAmarker-twin" for name in twins)]
    lines += [f"X-Scope: {text}"] if text else []
    assert sent(world, lines, path).status == 200
    (where,) = everywhere(world, path)
    cloud = world.three if where == "CloudThree" else world.one
    seen = cloud["image"].seen(path)
    assert "marker-twin" not in repr(seen)
    assert (seen.get("X-Auth-Token") or "").startswith(TOKEN)


@pytest.mark.parametrize("first", ["X-Auth-Token", "Accept"])
@pytest.mark.parametrize("name", ["X-Auth-Token", "X-Subject-Token", "X-Service-Token", "X-Scope"])
def test_doubled_headers_are_refused(world: World, name: str, first: str) -> None:
    for between in ([], ["X-Own: 1", "Accept: a"]):
        for value in ("{}", REMOTE, ""):
            path = fresh()
            lines = [f"{first}: {TOKEN}"] if first != name else []
            lines += [f"{name}: {value}", *between, f"{name.lower()}: {value}"]
            answer = sent(world, lines, path)
            assert (answer.status, answer.code) == (400, "request.malformed"), lines
            assert everywhere(world, path) == []


@pytest.mark.parametrize(
    "token", [f"{TOKEN}!", f"{TOKEN}!x!{REMOTE}", f"{TOKEN}!scope!{REMOTE}", "!", "!!!", "!SCOPE!"]
)
def test_a_token_with_an_exclamation_mark_alone_holds_no_scope(world: World, token: str) -> None:
    teach(world, REMOTE)
    path = fresh()
    answer = ask(world.one.url("image"), path, {"X-Auth-Token": token})
    if token == "!SCOPE!":
        assert (answer.status, answer.code) == (400, "scope.malformed")
        assert everywhere(world, path) == []
    else:
        assert answer.json["cloud"] == "CloudOne"
        assert world.one["image"].seen(path).get("X-Auth-Token") == token


@pytest.mark.parametrize("suffix", ["!SCOPE!", "!SCOPE!{", "!x", "!SCOPE!{}!SCOPE!{}", f"!x!{REMOTE}"])
def test_the_header_wins_over_the_token_but_the_token_must_be_one(world: World, suffix: str) -> None:
    """The same answer as from the gateway alone, taught or not."""
    teach(world, REMOTE)
    headers = {"X-Scope": REMOTE, "X-Auth-Token": f"{TOKEN}{suffix}"}
    path, other = fresh(), fresh()
    answer, reference = ask(world.one.url("image"), path, headers), ask(world.one.alone("image"), other, headers)
    assert answer.status == reference.status
    if answer.status == 200:
        tokens = [world.three["image"].seen(each).get("X-Auth-Token") for each in (path, other)]
        assert tokens[0] == tokens[1]
    else:
        assert answer.code == reference.code


def test_a_scope_may_name_this_cloud(world: World) -> None:
    """It follows the workflow if it leads to others as well; else plain tokens say the same."""
    ours = {"*": "CloudOne", "identity": "CloudOne", "image": "CloudOne"}
    for text, carried in (
        ('{"image":"CloudOne"}', None),
        ('{"*":"CloudOne","image":"CloudOne"}', None),
        ('{"image":"CloudOne","network":"CloudTwo"}', ours | {"network": "CloudTwo"}),
    ):
        teach(world, text)
        for url in (world.one.url("image"), world.one.alone("image")):
            for given in ({"X-Scope": text}, {"X-Auth-Token": f"{TOKEN}!SCOPE!{text}"}):
                path = fresh()
                assert ask(url, path, given).json["cloud"] == "CloudOne"
                assert world.one.passed(path) is (url == world.one.alone("image"))
                seen = world.one["image"].seen(path)
                token, _, scope = (seen.get("X-Auth-Token") or "").partition("!SCOPE!")
                assert (token, json.loads(scope) if scope else None) == (TOKEN, carried)
                assert seen.get("X-Scope") is None
    assert "CloudOne|image" not in world.one.proxy.peers


def test_steps_out_of_a_service_are_refused(world: World) -> None:
    url = world.three.url("image").removesuffix("/image")
    steps = [
        "/image/../compute/x",
        "/image/%2e%2e/compute/x",
        "/image/a\\..\\x",
        "/image/%2E./x",
        "/image/..",
        "/image/.",
    ]
    steps += [
        "/image/..%2fcompute/x",
        "/image/..%2Fcompute",
        "/image/%2e%2E%5ccompute",
        "/image/a%5C../x",
        "/image/./x",
    ]
    for path in steps:
        answer = ask(url, path)
        assert (answer.status, answer.code) == (400, "request.malformed"), path
    assert ask(url, "/image/v2/a.b..c/x%2Fy/.../%2e%2ex").json["target"] == "/v2/a.b..c/x%2Fy/.../%2e%2ex"
    teach(world, REMOTE)
    for path in ("/v2/../x", "/v2/%2e%2e/%2e%2e/compute/x", "/..%2fcompute/x", "/v2/\\..\\x"):
        answer = ask(world.one.url("image"), path, {"X-Scope": REMOTE})
        assert (answer.status, answer.code) == (400, "request.malformed"), path


@pytest.mark.parametrize(
    "path", ["/scope/images-elsewhere/v2/x", "/openstackoid/v1/peers", "/.well-known/openstackoid", "/openstackoid/v9"]
)
@pytest.mark.parametrize("text", ["", REMOTE])
def test_paths_of_the_gateway_are_answered_by_it(world: World, path: str, text: str) -> None:
    if text:
        teach(world, text)
    before = len([line for line in world.one.gateway.lines() if line["path"] == path])
    mine = world.one.keystone.issue("alice", "member")
    ask(world.one.url("image"), path, {"X-Scope": text} if text else {}, token=mine)
    until(lambda: len([line for line in world.one.gateway.lines() if line["path"] == path]) > before)
    assert everywhere(world, path) == []


@pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
def test_paths_of_the_gateway_are_its_own_in_absolute_targets(world: World, scheme: str) -> None:
    answer = sent(world, [f"X-Auth-Token: {TOKEN}"], f"{scheme}://x/openstackoid/v1/peers")
    assert answer.status == 200
    assert answer.json["cloud"] == "CloudOne"


@pytest.mark.parametrize(("text", "count", "status"), [("", 300, 200), (REMOTE, 110, 200), (REMOTE, 300, 400)])
def test_many_headers_get_an_answer_in_openstacks_form(world: World, text: str, count: int, status: int) -> None:
    """HAProxy answered with a page of its own to more than 100."""
    path = fresh()
    lines = [
        f"X-Auth-Token: {TOKEN}",
        *([f"X-Scope: {text}"] if text else []),
        *(f"X-H{number}: x" for number in range(count)),
    ]
    answer = sent(world, lines, path)
    assert (answer.status, answer.status == 200 or answer.code) == (status, status == 200 or "request.malformed")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 25_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: x\r\n" % number for number in range(1000)) + b"\r\n",
    ],
)
def test_what_haproxy_itself_does_not_read_gets_its_page(world: World, head: bytes) -> None:
    """HAProxy 2.6 has no other answer before it has a request; the reference says so."""
    answer = raw(world.one.url("image"), head)
    assert answer.startswith(b"HTTP/1.1 400 Bad request\r\n")
    assert b"<html>" in answer


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/", "/v2.1/"])
def test_version_documents_with_a_scope_are_the_gateways(world: World, path: str) -> None:
    teach(world, REMOTE)
    mark = f"?{os.urandom(6).hex()}"
    before = len(world.one.gateway.lines())
    assert ask(world.one.url("image"), path + mark, {"X-Scope": REMOTE}).status == 200
    until(lambda: any(line["path"] == path for line in world.one.gateway.lines()[before:]))
    inner = world.three.url("image") + ("" if path == "/" else path)
    # With a path before it, and also where nothing stands behind that.
    before = len(world.three.gateway.lines())
    until(lambda: "CloudOne|image" in world.three.proxy.peers)
    scope = {"X-Scope": '{"image":"CloudThree"}'}
    key = 'GET|image|{"image":"CloudThree"}'
    until(lambda: ask(inner, "/v2/images", scope).status == 200 and key in world.three.proxy.ways)
    assert ask(inner, mark, scope).status == 200
    until(
        lambda: any(
            line["path"] == f"/image{path.rstrip('/')}" or line["path"] == "/image" + path
            for line in world.three.gateway.lines()[before:]
        )
    )


def test_federated_tokens_are_the_gateways(world: World) -> None:
    """CacheableToken or not, with a scope of their own or without: they are verified there, and nowhere else."""
    teach(world, REMOTE)
    own = world.two.token(world.one, "gAAAAAmarker-theirs", agreement="b" * 32)
    for headers in ({}, {"X-Scope": REMOTE}):
        path = fresh()
        answer = ask(world.one.url("image"), path, headers, token=own)
        assert world.one.passed(path)
        assert answer.status in {401, 403, 400}
        assert everywhere(world, path) == []
    path = "/v3/auth/tokens?own"
    for name in ("X-Subject-Token", "X-Auth-Token"):
        before = len(world.one.gateway.lines())
        ask(world.one.url("identity"), path, {"X-Subject-Token": TOKEN, "X-Auth-Token": TOKEN} | {name: own})
        until(lambda before=before: len(world.one.gateway.lines()) > before)  # type: ignore[misc]


def test_headers_of_the_gateway_are_not_obeyed_from_outside(world: World) -> None:
    teach(world, REMOTE)
    mine = world.one.keystone.issue("alice", "member")
    text = '{"image":"CloudBare"}'
    teach(world, text, token=mine)
    forged = [
        "X-Openstackoid-Client: 6.6.6.6",
        "X-Openstackoid-Learn: 99999999999:forged",
        "X-Openstackoid-Assertion: x",
    ]
    for scope in ([], [f"X-Scope: {REMOTE}"], [f"X-Scope: {text}"]):
        path = image_data()
        assert sent(world, [f"X-Auth-Token: {mine}", *scope, *forged], path).status == 200
        assert world.one.gateway.line(path)["client"] == "127.0.0.1"
        for seen in (*world.bare.all(f"/image{path}"), *(world.three["image"].all(path))):
            assert "forged" not in repr(seen)
            assert "6.6.6.6" not in repr(seen)
            assert seen.get("X-Openstackoid-Assertion") != "x"
    answer = sent(world, [f"X-Auth-Token: {TOKEN}", f"X-Scope: {REMOTE}", "X-Openstackoid-Hops: CloudOne"], fresh())
    assert (answer.status, answer.code) == (508, "request.loop")
    # Lessons of other tests come and go meanwhile.
    taught = repr((world.one.proxy.ways, world.one.proxy.tokens))
    assert "forged" not in taught
    assert "99999999999" not in taught


def test_headers_of_a_backend_teach_nothing(world: World) -> None:
    mine = world.one.keystone.issue("alice", "member")
    text = '{"image":"CloudBare","dns":"CloudOne"}'
    key = maps.user(mine, text) or ""
    lines = {f"X-Openstackoid-{name}": f"99999999999:{key}" for name in ("Learn", "Token", "Way")}
    world.bare.on("/image/v2/learn", lambda _seen, _socket: _answer(lines))
    world.one["image"].on("/v2/learn", lambda _seen, _socket: _answer(lines))
    for scope in ({}, {"X-Scope": text}):
        ask(world.one.url("image"), "/v2/learn", scope, token=mine)
    again = {"X-Scope": text}
    until(lambda: ask(world.one.url("image"), "/v2/learn", again, token=mine).status and key in world.one.proxy.tokens)
    ours = payload(world.one.proxy.tokens[key].rpartition(":")[2])
    assert (ours["sub"], ours["aud"]) == (ALICE, "CloudBare")
    assert "99999999999" not in repr((world.one.proxy.tokens, world.one.proxy.ways))


def _answer(lines: dict[str, str]) -> bytes:
    from tests.gateway.wire import reply  # noqa: PLC0415

    return reply(200, {}, lines)


def _asked_again(world: World, text: str) -> bool:
    """A lesson that is under way when all is forgotten is not given: the next request has it."""
    return ask(world.one.url("image"), fresh(), {"X-Scope": text}).status == 200
