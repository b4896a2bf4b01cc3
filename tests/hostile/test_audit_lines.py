"""What a client writes into a line of audit: nothing that forges one, cuts one, or has one left out. At the gateway, and at HAProxy."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.wire import UNASKED, Cloud, Gateway, Upstream, ask, connect, everything, raw, reply, until
from tests.haproxy.world import Fronted, marked

from openstackoid.audit.lines import DAMAGED, Reader
from openstackoid.core import scope as scopes
from openstackoid.core.request_ids import PATTERN
from openstackoid.gateway.telemetry.audit import LegRecord, Record

FORGED = '","status":200,"user":"somebody-else","x":"'


@pytest.fixture(scope="module")
def clouds() -> Iterator[Cloud]:
    made = Cloud("CloudOne", paths=False)
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, clouds: Cloud) -> Iterator[Gateway]:
    peer = Upstream(lambda _seen, _: reply(200, b"", {"X-Openstack-Request-Id": "i" * 20_000}))
    peers = {"CloudTwo": {"url": peer.url, "services": {"image": peer.url}}}
    made = Gateway(tmp_path_factory.mktemp("lines"), clouds.config(peers=peers))
    try:
        until(lambda: "serving at" in made.said, 60)
        yield made
    finally:
        made.end()
        made.stop()
        peer.close()
    assert "Traceback" not in made.said


def last(gateway: Gateway, mark: str) -> tuple[bytes, dict[str, Any]]:
    def found() -> list[bytes]:
        return [line for line in gateway.audit.read_bytes().splitlines() if mark.encode() in line]

    (text,) = until(found)
    return text, json.loads(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/v2/mark-c{FORGED}".encode(), "/v2/mark-c" + FORGED.replace('"', "%22")),
        (b"/v2/mark-d" + b'"' * 9000, "/v2/mark-d" + "%22" * 338),
        (b"/v2/mark-f" + b"\\" * 9000, "/v2/mark-f" + "%5C" * 338),
        (b"/v2/mark-g" + b"x" * 9000, "/v2/mark-g" + "x" * 1014),
    ],
)
def test_a_path_is_bounded_and_quoted_at_the_gateway(gateway: Gateway, path: bytes, expected: str) -> None:
    answer = raw(gateway.url("image"), b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    text, line = last(gateway, path[4:10].decode())
    assert len(text) < 4096
    assert text.isascii()
    assert expected.startswith(line["path"])
    assert len(line["path"]) >= min(len(expected), 1022)
    assert (line["status"], line["user"]) == (200, None)


def test_bytes_that_are_no_text_are_no_request_to_the_gateway(gateway: Gateway) -> None:
    for odd in (b"\xff\xfe", b"\xed\xa0\x80", "\u2028".encode(), b"\x7f", b"\x01", b"\x1b[2J", b"\x00"):
        answer = raw(gateway.url("image"), b"GET /v2/odd" + odd + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 400 " in answer.partition(b"\r\n")[0]


def test_a_request_to_several_clouds_is_one_line_with_its_legs() -> None:
    """As long as a line can be: it stays below what a pipe takes in one piece."""
    name, text = "C" * 64, "x" * 2000
    legs = [LegRecord(name, "remote", "a" * 32, 200, "peer.unreachable", 123456.789) for _ in range(6)]
    record = Record("C" * 64, text, "GET", "/" + text, f"req-{'a' * 36}", legs=legs[:1])
    assert "legs" not in json.loads(record.line())
    record.legs = legs
    record.home = record.user = record.project = record.local_user = record.local_project = record.agreement = name
    record.service, record.saved_scope, record.peer, record.request_id = name, name, name, name
    record.scope = scopes.parse(json.dumps({f"service-{number}": name for number in range(40)}))
    line = record.line()
    assert len(line) < 4096
    assert (
        json.loads(line)["legs"]
        == [
            {
                "peer": name,
                "decision": "remote",
                "agreement": "a" * 32,
                "status": 200,
                "error": "peer.unreachable",
                "ms": 123456.789,
            }
        ]
        * 4
    )


def test_a_record_of_whatever_text_is_a_line() -> None:
    for odd in ("\udcff\udcfe", "\u2028", "\0\x1b[2J\n", '"' * 5000, "é" * 5000, "\U0001f600" * 5000):
        text = Record("CloudOne", odd, odd, odd, "req-x", odd, "image", user=odd, project=odd, saved_scope=odd).line()
        assert text.count(b"\n") == 1
        assert text[:-1].decode("ascii").isprintable()
        assert len(text) < 4096
        assert set(json.loads(text)) == set(json.loads(Record("C", None, "GET", "/", "req-x").line()))


@pytest.mark.parametrize(
    "number",
    [
        "req-" + "x" * 20_000,
        'req-","status":200,"user":"somebody","z":',  # as long as one
        "req-urn:6b8e1f0a3c5d4e2f9a7b0123456789ab",  # UUIDs to Python
        "req-{6b8e1f0a-3c5d-4e2f-9a7b-01234567890}",
        "req-6_8e1f0a-3c5d-4e2f-9a7b-0123456789ab",
        "req-6B8E1F0A-3C5D-4E2F-9A7B-0123456789AB",  # to nobody: oslo.middleware drops it
    ],
)
def test_a_request_id_of_another_form_is_replaced_at_the_gateway(gateway: Gateway, clouds: Cloud, number: str) -> None:
    path = f"/v2/number-{len(gateway.lines())}"
    ask(gateway.url("image"), path, {"X-Openstack-Request-Id": number})
    found = gateway.line(path)["global_request_id"]
    assert re.fullmatch(PATTERN, found)
    assert clouds["image"].seen(path).get("X-Openstack-Request-Id") == found


def test_what_else_is_long(gateway: Gateway) -> None:
    """A scope, the name of a saved one, and what the peer calls the request."""
    scope = json.dumps({"image": "CloudTwo"} | dict.fromkeys(UNASKED, "CloudOne"))
    assert ask(gateway.url("image"), "/v2/long-scope", {"X-Scope": scope}).status == 200
    text, line = last(gateway, "long-scope")
    assert len(text) < 4096
    assert line["scope"]["image"] == "CloudTwo"
    assert line["scope"]["..."].startswith("and ")
    assert line["request_id"] == "i" * 64
    ask(gateway.url("image"), f"/scope/{'z' * 9000}/image/v2/x")
    assert len(last(gateway, "zzzz")[0]) < 4096


# HAProxy, on the way to a cloud of the same owner, where all paths may go straight.


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fronted, Upstream]]:
    one = Fronted("CloudOne", tmp_path_factory.mktemp("entry") / "one")
    bare = Upstream(lambda seen, _: reply(200, {"target": seen.target}))
    one.start({"CloudBare": {"token": "pass-through", "url": bare.url, "services": {"image": f"{bare.url}/image"}}})
    try:
        one.ready()
        until(lambda: "CloudBare|image" in one.proxy.peers, 30)
        yield one, bare
    finally:
        one.stop()
        bare.close()


@pytest.fixture(scope="module")
def known(entry: tuple[Fronted, Upstream]) -> dict[str, str]:
    """A user and a scope that HAProxy knows."""
    one, _ = entry
    headers = marked("image", "CloudBare") | {"X-Auth-Token": one.keystone.issue("alice", "member")}

    def learned() -> bool:
        assert ask(one.url("image"), "/v2/images", headers, token=None).status == 200
        return f"GET|image|{headers['X-Scope']}" in one.proxy.ways

    until(learned)
    return headers


def straight(one: Fronted, mark: str) -> dict[str, Any]:
    """HAProxy's line, which `openstackoid audit` reads whole."""

    def found() -> list[dict[str, Any]]:
        output = one.proxy.folder / "output"
        return [line for line in Reader().read([output], lambda: output) if mark in str(line.get("path"))]

    (line,) = until(found)
    assert DAMAGED not in line, line
    assert not one.passed(line["path"])
    return line


def get(one: Fronted, headers: dict[str, str], path: bytes, *more: bytes) -> bytes:
    given = [f"{name}: {value}".encode() for name, value in headers.items()]
    with connect(one.url("image")) as connection:
        connection.sendall(
            b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: x", b"Connection: close", *given, *more, b"", b""])
        )
        return everything(connection)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/mark-a" + "x" * 9000, "/v2/mark-a" + "x" * 1014),
        ("/v2/mark-b" + "/" * 9000, "/v2/mark-b" + "/" * 1014),  # HAProxy writes \/
        ("/v2/mark-c" + '"' * 9000, "/v2/mark-c" + '"' * 1014),
        ("/v2/mark-d" + "\\" * 9000, "/v2/mark-d" + "\\" * 1014),
        (f"/v2/mark-e{FORGED}", f"/v2/mark-e{FORGED}"),
    ],
)
def test_a_path_is_bounded_and_quoted_at_haproxy(
    entry: tuple[Fronted, Upstream], known: dict[str, str], path: str, expected: str
) -> None:
    one, _ = entry
    assert get(one, known, path.encode()).startswith(b"HTTP/1.1 200 ")
    line = straight(one, path[4:10])
    assert line["path"] == expected
    assert (line["service"], line["status"], line["peer"], line["decision"]) == ("image", 200, "CloudBare", "remote")


def test_bytes_that_are_no_text_never_come_so_far(entry: tuple[Fronted, Upstream], known: dict[str, str]) -> None:
    """Neither HAProxy nor anybody behind it gets them."""
    one, bare = entry
    for odd in (b"\xff\xfe", b"\xed\xa0\x80", b"\xc3", b"\x01", b"\x1b[2J", b"\x00"):
        assert get(one, known, b"/v2/odd" + odd).startswith(b"HTTP/1.1 400 ")
    assert bare.all("/image/v2/odd") == []


@pytest.mark.parametrize(
    "numbers",
    [
        ["req-" + "x" * 8000],
        ['req-","status":200,"user":"somebody","z":'],
        ["req-6B8E1F0A-3C5D-4E2F-9A7B-0123456789AB"],
        ["req-\xff\xfe"],
        [""],
    ],
)
def test_a_request_id_of_another_form_is_replaced_at_haproxy(
    entry: tuple[Fronted, Upstream], known: dict[str, str], numbers: list[str]
) -> None:
    one, bare = entry
    path = f"/v2/number-{len(bare.requests)}"
    lines = [f"X-Openstack-Request-Id: {number}".encode("latin-1") for number in numbers]
    assert get(one, known, path.encode(), *lines).startswith(b"HTTP/1.1 200 ")
    line = straight(one, path)
    assert re.fullmatch(PATTERN, line["global_request_id"])
    assert bare.seen(f"/image{path}").all("X-Openstack-Request-Id") == [line["global_request_id"]]


def test_two_request_ids_are_the_gateways(entry: tuple[Fronted, Upstream], known: dict[str, str]) -> None:
    """One that is looked at, and one that is written down, could be two."""
    one, bare = entry
    good = "req-6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab"
    for numbers in ([good, "req-x"], ["req-x", good]):
        path = f"/v2/two-{len(bare.requests)}"
        get(one, known, path.encode(), *(f"X-Openstack-Request-Id: {number}".encode() for number in numbers))
        assert one.passed(path)
        (number,) = bare.seen(f"/image{path}").all("X-Openstack-Request-Id")
        assert re.fullmatch(PATTERN, number)


def test_the_usual_id_stays(entry: tuple[Fronted, Upstream], known: dict[str, str]) -> None:
    one, _ = entry
    good = "req-6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab"
    get(one, known, b"/v2/usual", f"X-Openstack-Request-Id: {good}".encode())
    assert straight(one, "/v2/usual")["global_request_id"] == good
