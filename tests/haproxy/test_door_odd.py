"""At the door where other clouds call, whatever is not plainly a request for image data by a known visitor meets the gateway."""

import re

import pytest
from tests.gateway.wire import ask, raw, until
from tests.haproxy.doorway import FILE, Door, fresh, request_id
from tests.haproxy.test_traps import parsed

from openstackoid.trust import tokens
from openstackoid.trust.claims import Named


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, f"{FILE}/file") for method in ("HEAD", "PUT", "DELETE", "POST", "PATCH", "OPTIONS", "get")),
        ("GET", f"{FILE}/file?"),
        ("GET", f"{FILE}/file?_method=DELETE"),
        ("GET", f"{FILE}/file?%5fmethod=DELETE"),
        ("GET", f"{FILE}/file/"),
        ("GET", f"{FILE}//file"),
        ("GET", f"{FILE}/%66ile"),
        ("GET", f"{FILE}%2ffile"),
        ("GET", f"{FILE}/file%00"),
        ("GET", f"{FILE}/file;a=b"),
        ("GET", f"{FILE}/file/../../x/file"),
        ("GET", f"{FILE}/%2e%2e/x/file"),
        ("GET", f"{FILE.upper()}/file"),
        ("GET", f"{FILE[:-1]}/file"),
        ("GET", f"{FILE}0/file"),
        ("GET", f"//{FILE}/file"),
        ("GET", f"/../image{FILE}/file"),
        ("GET", FILE),
        ("GET", "/v2/images"),
        ("GET", "/"),
    ],
)
def test_another_target_or_method_is_the_gateways(at: Door, method: str, path: str) -> None:
    token = at.learn()
    before = len(at.two["image"].requests)
    hops = {"X-Openstackoid-Hops": "CloudOne", "X-Openstack-Request-Id": (number := request_id())}
    head = [f"{name}: {value}" for name, value in {**hops, "X-Auth-Token": token}.items()]
    told = raw(
        at.two.peering,
        "\r\n".join([f"{method} /image{path} HTTP/1.1", "Host: x", "Connection: close", *head, "", ""]).encode(),
    )
    assert told
    assert number not in at.two.proxy.said  # it wrote no line, so nothing went straight
    for seen in at.two["image"].requests[before:]:
        assert until(lambda: [line for line in at.two.gateway.lines() if line["global_request_id"] == number]), seen


ODD: list[list[str]] = [
    ["X_Auth_Token: other"],
    ["X-Openstackoid_Hops: CloudNine"],
    ["X-Auth-Token: TOKEN"],
    ["x-auth-token: other"],
    ["X-Openstackoid-Hops: CloudOne"],
    ["X-Openstackoid-Hops: CloudTwo"],
    ["X-Openstackoid-Assertion: a", "X-Openstackoid-Assertion: b"],
    ["X-Openstackoid-Client: 10.9.9.9"],
    ["X-Openstackoid-Other: a"],
    ["X-Scope: {}"],
    ['X-Scope: {"image":"CloudTwo"}'],
    ["X-Subject-Token: TOKEN"],
    ["X-Service-Token: gAAAAAmarker-service-token"],
    ["X-HTTP-Method-Override: DELETE"],
    ["X-Method: DELETE"],
    ["Content-Type: application/x-www-form-urlencoded"],
    ["Content-Type: multipart/form-data"],
    ["Content-Type: application/octet-stream", "Content-Type: application/x-www-form-urlencoded"],
    ["Content-Length: 0"],
    ["Content-Length: 5", "", "hello"],
    ["Transfer-Encoding: chunked", "", "5", "hello", "0", "", ""],
    ["Content-Length: 5", "Transfer-Encoding: chunked", "", "0", "", ""],
    ["Expect: 100-continue"],
    ["Connection: X-Auth-Token"],
    ["TE: trailers"],
    ["Upgrade: h2c"],
    ["Keep-Alive: timeout=5"],
    ["Proxy-Authorization: Basic x"],
    ["Authorization: Bearer x"],
    ["Cookie: a=b"],
    ["X-Forwarded-Proto: https"],
    ["X-Forwarded-For: 10.9.9.9"],
    ["Forwarded: for=10.9.9.9"],
    ["X-Roles: admin"],
    ["X-Project-Id: other"],
    ["X-Identity-Status: Confirmed"],
    ["X-Own: 1"],
    ["Accept: \xff"],
    ["Accept: a\tb"],
    ["Accept: a", "accept: b"],
    ["User-Agent: openstacksdk/4.0"],
    ["User-Agent: \x00"],
    [f"X-Own-{number}: 1" for number in range(90)],
    ["Accept: */*"] * 90,
    ["X-Openstack-Request-Id: req-6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab"],
    ["HTTP/1.0"],
]


@pytest.mark.parametrize("lines", ODD, ids=lambda lines: " + ".join(lines)[:60])
def test_anything_odd_beside_it_is_the_gateways(at: Door, lines: list[str]) -> None:
    token, path, number = at.learn(), fresh(), request_id()
    version = "HTTP/1.0" if lines == ["HTTP/1.0"] else "HTTP/1.1"
    given = [] if lines == ["HTTP/1.0"] else [line.replace("TOKEN", token) for line in lines]
    usual = [f"X-Auth-Token: {token}", "X-Openstackoid-Hops: CloudOne", f"X-Openstack-Request-Id: {number}"]
    for head in ([*usual, *given], [*given, *usual]):
        if "" in given and head[0] == given[0]:
            continue  # with a body, only at the end
        close = ["Host: x", "Connection: close"]
        text = "\r\n".join([f"GET /image{path} {version}", *close, *head, *([] if "" in given else ["", ""])])
        raw(at.two.peering, text.encode("latin-1"))
    assert number not in at.two.proxy.said
    for seen in at.two["image"].all(path):
        assert seen.all("X-Auth-Token") == [tokens.marked(token, at.two.keys)]
        assert at.two.passed(path)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Openstackoid-Hops": None},
        {"X-Openstackoid-Hops": ""},
        {"X-Openstackoid-Hops": "CloudTwo"},
        {"X-Openstackoid-Hops": "CloudThree"},
        {"X-Openstackoid-Hops": "CloudOne,CloudThree"},
        {"X-Openstackoid-Hops": "CloudOne,CloudTwo"},
        {"X-Openstackoid-Hops": "CloudOne, CloudOne"},
        {"X-Openstackoid-Hops": "cloudone"},
        {"X-Openstackoid-Hops": "CloudOne|x"},
        {"X-Openstackoid-Hops": "CloudOne\x00"},
        {"X-Openstack-Request-Id": None},
        {"X-Openstack-Request-Id": "req-1"},
        {"X-Openstack-Request-Id": 'req-","status":200,"user":"somebody-else'},
    ],
)
def test_hops_and_ids_that_are_not_the_entrys_are_the_gateways(at: Door, headers: dict[str, str | None]) -> None:
    token, path = at.learn(), fresh()
    lines = {"X-Auth-Token": token, "X-Openstackoid-Hops": "CloudOne", "X-Openstack-Request-Id": request_id()}
    head = [f"{name}: {value}" for name, value in {**lines, **headers}.items() if value is not None]
    request = [f"GET /image{path} HTTP/1.1", "Host: x", "Connection: close", *head, "", ""]
    answer = parsed(raw(at.two.peering, "\r\n".join(request).encode("latin-1")))
    assert at.two.passed(path) or answer.status == 400
    assert path.split("/")[3] not in at.two.proxy.said
    if "CloudTwo" in (headers.get("X-Openstackoid-Hops") or ""):
        assert (answer.status, answer.code) == (508, "request.loop")


def test_nobody_elses_token_opens_the_way(at: Door) -> None:
    token = at.learn()
    head, payload, signature = token.split(".")
    marked = tokens.marked(token, at.two.keys)
    other = at.token(user=Named("b" * 32, "bob", "default", "Default"))
    forged = [f"{head}.{payload}.{signature[:-4]}AAAA", token[:-1], f"{token}A", token.upper(), ""]
    for wrong in (*forged, "gAAAAAmarker-plain", marked.rpartition("~")[2], at.token(keys=at.two.keys)):
        path = fresh()
        assert at.passes(wrong, path).status == 401
        assert not at.two["image"].all(path)
    # Spelled in another way, or another one of the same cloud: as the gateway says.
    for right in (marked, f"{token}~x", other):
        path = fresh()
        assert at.passes(right, path).status == 200
    assert at.passes(f"{token}!SCOPE!{{}}").status == 403


def test_other_services_and_the_users_door_do_not_have_it(at: Door) -> None:
    token = at.learn()
    for prefix in ("/compute", "", "/images", "/image/image"):
        path = fresh()
        number = request_id()
        headers = {"X-Openstackoid-Hops": "CloudOne", "X-Openstack-Request-Id": number}
        ask(at.two.peering, f"{prefix}{path}", headers, token=token)
        until(lambda number=number: [each for each in at.two.gateway.lines() if each["global_request_id"] == number])  # type: ignore[misc]
        assert not at.two["image"].all(path)
    path = fresh()
    assert ask(at.two.url("image"), path, token=token).status in {200, 401, 403}
    assert at.two.passed(path)


def test_on_one_connection_each_request_is_its_own(at: Door) -> None:
    """What one was found to be does not count for the next."""
    token, paths = at.learn(), [fresh() for _ in range(4)]
    forged = f"{token[:-4]}AAAA"
    sent = zip(paths, (token, forged, token, forged), ("GET", "GET", "PUT", "GET"), strict=True)
    text = ""
    for path, each, method in sent:
        close = ["Connection: close"] if path == paths[-1] else []
        usual = ["X-Openstackoid-Hops: CloudOne", f"X-Openstack-Request-Id: {request_id()}", f"X-Auth-Token: {each}"]
        text += "\r\n".join([f"{method} /image{path} HTTP/1.1", "Host: x", *usual, *close, "", ""])
    told = raw(at.two.peering, text.encode())
    assert re.findall(rb"HTTP/1.1 (\d+)", told) == [b"200", b"401", b"200", b"401"]
    assert [at.two.passed(path) for path in paths] == [False, True, True, True]
    assert [len(at.two["image"].all(path)) for path in paths] == [1, 0, 1, 0]
