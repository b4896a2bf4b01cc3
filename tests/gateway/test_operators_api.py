"""The operators' API: who gets in, pages of the audit, and agreements that are made, changed and ended."""

import contextlib
import gzip
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import Bare, Owner
from tests.gateway.wire import Answer, Gateway, ask, connect, until

AUDIT, AGREEMENTS = "/openstackoid/v1/audit", "/openstackoid/v1/agreements"
CHANGES = (
    ("POST", AGREEMENTS, {"url": "https://two.example", "fingerprint": "x" * 43}),
    ("POST", f"{AGREEMENTS}?name=CloudBare", {"event": "suspend"}),
    ("DELETE", f"{AGREEMENTS}?name=CloudBare", None),
)
SYSTEM: dict[str, Any] = {"project": None, "system": {"all": True}}


class Desk:
    """An operator before a gateway.

    Attributes:
        owner: its cloud.
        gateway: with an operators' API.
        other: another owner's cloud, which may be added.
        haproxy: a file that HAProxy would log to.
    """

    def __init__(self, owner: Owner, gateway: Gateway, other: Bare, haproxy: Path) -> None:
        self.owner, self.gateway, self.other, self.haproxy = owner, gateway, other, haproxy
        self.admin = owner.keystone.issue("root", "admin")

    def ask(
        self, path: str, *, method: str = "GET", body: Any = None, token: str | None = None, **query: Any
    ) -> Answer:
        """As an admin, unless another token is given."""
        text = None if body is None else json.dumps(body).encode()
        given = "&".join(f"{name}={value}" for name, value in query.items())
        url = f"{path}{'?' if given else ''}{given}"
        return ask(self.gateway.url("identity"), url, method=method, body=text, token=token or self.admin)

    def audit(self, **query: Any) -> dict[str, Any]:
        answer = self.ask(AUDIT, **query)
        assert answer.status == 200, answer.body
        document: dict[str, Any] = answer.json
        return document


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    owner, other, haproxy = Owner("CloudOne", folder / "CloudOne"), Bare("CloudBare"), folder / "haproxy.log"
    file_peer = {"url": "http://127.0.0.1:9", "token": "pass-through", "services": {"image": "http://127.0.0.1:9"}}
    more = {"operators": {"audit": [str(haproxy)]}}
    with federated({owner: {"peers": {"CloudFile": file_peer}, "more": more}}) as started:
        yield Desk(owner, started[owner], other, haproxy)
    other.close()


def test_only_operators_get_in(desk: Desk) -> None:
    issue = desk.owner.keystone.issue
    member = issue("alice", "member", "reader", "manager")
    rules = {"access_rules": [{"id": "r", "service": "image", "method": "GET", "path": "/**"}]}
    for token, status, code in (
        (member, 403, "operator.forbidden"),
        (issue("robot", "admin", application_credential=rules), 403, "operator.forbidden"),
        ("gAAAAAmarker-unknown", 401, "token.invalid"),
        ("x" * 9000, 401, "token.invalid"),
    ):
        for method, path, body in (("GET", AUDIT, None), ("GET", AGREEMENTS, None), *CHANGES):
            answer = desk.ask(path, method=method, body=body, token=token)
            assert (answer.status, answer.code) == (status, code), (method, path)
    nobody = ask(desk.gateway.url("image"), AUDIT, token=None)
    assert (nobody.status, nobody.code) == (401, "token.invalid")
    reader = issue("auditor", "reader", **SYSTEM)
    assert [desk.ask(path, token=reader).status for path in (AUDIT, AGREEMENTS)] == [200, 200]
    for method, path, body in CHANGES:
        assert desk.ask(path, method=method, body=body, token=reader).status == 403
    # A peer's gateway finds nothing at its door.
    assert ask(desk.owner.peering, AUDIT, token=desk.admin).code == "path.missing"


def test_pages_of_the_audit_hold_each_request_once_and_no_secret(desk: Desk) -> None:
    mark = f"/v3/auth/tokens/{desk.admin}"
    for number in range(5):
        ask(desk.gateway.url("identity"), f"{mark}/{number}", {"X-Scope": '{"image": "CloudOne"}'})
    desk.gateway.line("/v3/auth/tokens/***/4")
    asked: dict[str, Any] = {"service": "identity", "direction": "local", "limit": 2}
    pages = [desk.audit(**asked)]
    while pages[-1]["next"]:
        pages.append(desk.audit(**asked, marker=pages[-1]["next"]))
    paths = [line["path"] for page in pages for line in page["lines"]]
    assert paths == [f"/v3/auth/tokens/***/{number}" for number in (4, 3, 2, 1, 0)]
    assert [line["direction"] for line in pages[0]["lines"]] == ["local", "local"]
    assert "marker" not in json.dumps(pages).replace('"marker', "")


def test_lines_of_haproxy_are_among_those_of_the_gateway_and_a_chain_has_one_id(desk: Desk) -> None:
    request = "req-00000000-0000-4000-8000-000000000001"
    scope = {"X-Scope": '{"image": "CloudFile"}', "X-Openstack-Request-Id": request}
    ask(desk.gateway.url("image"), "/v2/images/failed", scope)
    assert desk.gateway.line("/v2/images/failed")["global_request_id"] == request
    straight = {"time": "2020-01-01T00:00:00Z", "cloud": "CloudOne", "by": "haproxy", "status": 200, "service": "image"}
    straight |= {
        "way": "R",
        "peer": "CloudFile",
        "user": "u",
        "global_request_id": request,
        "path": "/v3/auth/tokens/gAAAAAmarker",
    }
    desk.haproxy.write_text(json.dumps(straight, separators=(",", ":")) + "\n")
    lines = desk.audit(request=request)["lines"]
    assert [(line["peer"], line["status"], line["direction"]) for line in lines] == [
        ("CloudFile", 502, "out"),
        ("CloudFile", 200, "out"),
    ]
    assert lines[1]["path"] == "/v3/auth/tokens/***"
    assert [line["status"] for line in desk.audit(peer="CloudFile", status="5xx", errors="true")["lines"]] == [502]


def test_a_search_ends_when_its_client_leaves(desk: Desk) -> None:
    """Its file takes minutes to unpack, and is small: zeros."""
    packed = desk.haproxy.with_name("haproxy.log.1.gz")
    member = gzip.compress(bytes(64 << 20))
    with packed.open("wb") as file:
        for _ in range(2000):
            file.write(member)
    os.utime(packed, (0, 0))  # older than all
    with desk.haproxy.open("a") as log:  # a page looks at the newest line of each file
        log.write('{"time":"2020-01-01T00:00:00Z","path":"/newer"}\n')

    def searches() -> int:
        """Files that are open come and go while this looks."""
        count = 0
        for entry in Path(f"/proc/{desk.gateway.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                count += entry.readlink() == packed
        return count

    request = f"GET {AUDIT}?user=nobody HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {desk.admin}\r\n\r\n".encode()
    try:
        clients = [connect(desk.gateway.url("identity")) for _ in range(4)]
        for client in clients:
            client.sendall(request)
        until(lambda: searches() == 2)  # as many as there are at once
        assert desk.ask(AGREEMENTS).status == 200
        for client in clients:
            client.close()
        until(lambda: searches() == 0)
        assert desk.audit(limit=1, all="true")["lines"]
    finally:
        packed.unlink()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": "0"}, "request.malformed"),
        ({"limit": "1001"}, "request.malformed"),
        ({"limit": "%D9%A3"}, "request.malformed"),
        ({"since": "yesterday"}, "request.malformed"),
        ({"status": "9xx"}, "request.malformed"),
        ({"colour": "red"}, "request.malformed"),
        ({"user": "x" * 1025}, "request.malformed"),
        ({"marker": "../../etc/passwd.1,"}, "marker.invalid"),
        ({"marker": f"{'0' * 16}.7,"}, "marker.invalid"),
    ],
)
def test_a_question_that_is_none_is_refused(desk: Desk, query: dict[str, str], code: str) -> None:
    answer = desk.ask(AUDIT, **query)
    assert (answer.status, answer.code) == (400, code)
    assert answer.error


def test_an_agreement_is_made_changed_and_ended(desk: Desk) -> None:
    other = desk.other
    body = {"url": other.url, "fingerprint": other.keys.fingerprint, "grant": {"services": ["image"]}, "allow": True}
    added = desk.ask(AGREEMENTS, method="POST", body=body)
    assert (added.status, added.json["agreement"]["state"]) == (201, "active")
    again = desk.ask(AGREEMENTS, method="POST", body=body)
    assert (again.status, again.code) == (409, "peer.exists")
    until(lambda: desk.owner.known(desk.gateway).get("CloudBare", {}).get("state") == "up")

    def change(**changed: Any) -> dict[str, Any]:
        answer = desk.ask(AGREEMENTS, method="POST", body=changed, name="CloudBare")
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json["agreement"]
        return found

    assert change(event="suspend")["state"] == "suspended"
    assert change(event="allow", grant={"services": ["image", "network"], "rate": 5})["grant"]["rate"] == 5
    assert change(event="allow")["grant"]["services"] == ["image", "network"]
    assert change(event="trust", fingerprint=other.keys.fingerprint)["state"] == "active"
    shown = desk.ask(AGREEMENTS, name="CloudBare").json["agreement"]
    assert [event["event"] for event in shown["history"]] == ["add", "allow", "suspend", "allow", "allow", "repin"]
    assert {event["by"] for event in shown["history"]} == {
        f"root ({desk.owner.keystone.known[desk.admin]['user']['id']})"
    }
    assert [entry["name"] for entry in desk.ask(AGREEMENTS).json["agreements"]] == ["CloudBare", "CloudFile"]
    gone = desk.ask(AGREEMENTS, method="DELETE", name="CloudBare")
    assert (gone.status, gone.body) == (204, b"")
    assert desk.ask(AGREEMENTS, name="CloudBare").code == "peer.unknown"
    assert desk.ask(AGREEMENTS, method="DELETE", name="CloudBare").code == "peer.unknown"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"url": "http://two.example"}, "request.malformed"),
        ({"url": "file:///etc/passwd"}, "request.malformed"),
        ({"url": 7}, "request.malformed"),
        ({"url": "http://127.0.0.1:9"}, "peer.unreachable"),
        ({"fingerprint": "short"}, "request.malformed"),
        ({"fingerprint": "A" * 43}, "peer.refused"),
        ({"grant": {"services": ["identity"]}}, "agreement.grant"),
        ({"grant": {"roles": {"admin": "admin"}}}, "agreement.grant"),
        ({"grant": {"rules": [{"service": "image", "method": "GET"}]}}, "agreement.grant"),
        ({"allow": "yes"}, "request.malformed"),
        ({"more": 1}, "request.malformed"),
    ],
)
def test_what_cannot_be_added_is_refused_and_nothing_is_kept(desk: Desk, changed: dict[str, Any], code: str) -> None:
    body = {"url": desk.other.url, "fingerprint": desk.other.keys.fingerprint} | changed
    answer = desk.ask(AGREEMENTS, method="POST", body=body)
    assert (answer.code, bool(answer.error)) == (code, True)
    assert [entry["name"] for entry in desk.ask(AGREEMENTS).json["agreements"]] == ["CloudFile"]


@pytest.mark.parametrize(
    ("grant", "place"),
    [
        ({"roles": {"admin": "admin"}}, "grant.roles: admin gives people of another cloud power"),
        ({"projects": "all"}, "grant.projects: expected same"),
        ({"rules": [{"service": "image"}]}, "grant.rules.0: expected service, method and path"),
        ({"services": ["identity"]}, "grant: identity is never shared"),
    ],
)
def test_a_grant_that_is_none_says_where(desk: Desk, grant: dict[str, Any], place: str) -> None:
    body = {"url": desk.other.url, "fingerprint": desk.other.keys.fingerprint, "grant": grant}
    assert desk.ask(AGREEMENTS, method="POST", body=body).error.startswith(place)


def test_what_stands_in_the_file_and_what_is_no_event_is_refused(desk: Desk) -> None:
    for name, body, code in (
        ("CloudFile", {"event": "suspend"}, "peer.exists"),
        ("CloudNine", {"event": "suspend"}, "peer.unknown"),
        ("CloudNine", {"event": "remove"}, "request.malformed"),
        ("CloudNine", {"event": "suspend", "grant": {}}, "request.malformed"),
        ("CloudNine", [], "request.malformed"),
    ):
        assert desk.ask(AGREEMENTS, method="POST", body=body, name=name).code == code
    assert desk.ask(AGREEMENTS, method="DELETE").code == "request.malformed"
    own = {"url": desk.owner.peering, "fingerprint": desk.owner.keys.fingerprint}
    assert desk.ask(AGREEMENTS, method="POST", body=own).code == "peer.refused"


def test_a_gateway_without_the_section_has_no_such_paths_and_one_without_a_file_says_so(desk: Desk) -> None:
    gateway = desk.gateway
    whole = dict(gateway.config)

    def reloaded(config: dict[str, Any], code: str) -> None:
        gateway.write(config)
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: desk.ask(AUDIT).json.get("error", {}).get("openstackoid_code") == code)

    try:
        reloaded({key: value for key, value in whole.items() if key != "operators"}, "path.missing")
        assert desk.ask(AGREEMENTS).code == "path.missing"
        reloaded(
            {key: value for key, value in (whole | {"operators": {}}).items() if key != "audit"}, "audit.elsewhere"
        )
    finally:
        gateway.write(whole)
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: desk.ask(AUDIT).status == 200)
