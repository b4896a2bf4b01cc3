"""A fake cloud at the wire, which remembers what it was asked, and an environment that leads to it and to nothing of the user's."""

import json
import logging
import os
import threading
import warnings
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WELL_KNOWN = "/.well-known/openstackoid"
SERVICES = ("compute", "identity", "image", "network")


@dataclass(frozen=True)
class Asked:
    """One request, and the scope it came with."""

    method: str
    path: str
    scope: str | None
    token: str | None


@dataclass
class FakeCloud:
    """Keystone, a few services, and the gateway's own paths; every answer depends on the scope as real ones would."""

    gateway: bool = True
    asked: list[Asked] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)  # of explain, and of repairs
    logins: int = 0
    listed: list[tuple[str, str, str]] = field(
        default_factory=list
    )  # cloud, id and name of images under a scope with &
    missing: str | None = None  # X-Scope-Missing beside them

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def saw(self, headers: Message) -> None:
        """For a test that looks at more than the scope."""

    def scopes(self) -> set[str | None]:
        """Of all requests but those that ask whether a gateway is there."""
        return {asked.scope for asked in self.asked if asked.path != WELL_KNOWN}

    def paths(self) -> set[str]:
        return {asked.path for asked in self.asked}

    def answer(self, method: str, path: str, query: str, scope: str | None) -> tuple[int, Any, dict[str, str]]:
        where = _where(scope, "image")
        match method, path.rstrip("/"):
            case "GET", "/identity" | "/identity/v3":
                version = {
                    "id": "v3.14",
                    "status": "stable",
                    "links": [{"rel": "self", "href": f"{self.url}/identity/v3/"}],
                }
                return (
                    (300, {"versions": {"values": [version]}}, {})
                    if path.rstrip("/") == "/identity"
                    else (200, {"version": version}, {})
                )
            case "POST", "/identity/v3/auth/tokens":
                self.logins += 1
                return (
                    201,
                    {"token": self._token(scope)},
                    {"X-Subject-Token": f"token-{self.logins}-{_where(scope, 'identity')}"},
                )
            case "GET", "/image":
                # Another cloud, another version behind the same URL.
                found = {
                    "id": "v2.9",
                    "status": "CURRENT",
                    "links": [{"rel": "self", "href": f"{self.url}/image/{where}/v2/"}],
                }
                return 300, {"versions": [found]}, {}
            case "GET", "/image/entry/v2/images" | "/image/CloudTwo/v2/images" | "/image/CloudThree/v2/images":
                return 200, {"images": [{"id": f"id-{where}", "name": f"of-{where}", "status": "active"}]}, {}
            case "GET", "/image/several/v2/images":
                images = [{"id": found, "name": name, "status": "active"} for _, found, name in self.listed]
                clouds = list(dict.fromkeys(cloud for cloud, _, _ in self.listed))
                runs = " ".join(str(clouds.index(cloud)) for cloud, _, _ in self.listed)
                headers = {"X-Scope-Items": f"{' '.join(clouds)};{runs}"}
                return 200, {"images": images}, headers | ({"X-Scope-Missing": self.missing} if self.missing else {})
            case "GET", "/network":
                found = {
                    "id": "v2.0",
                    "status": "CURRENT",
                    "links": [{"rel": "self", "href": f"{self.url}/network/v2.0/"}],
                }
                return 200, {"versions": [found]}, {}
            case "GET", "/compute":
                found = {
                    "id": "v2.1",
                    "status": "CURRENT",
                    "version": "2.90",
                    "min_version": "2.1",
                    "links": [{"rel": "self", "href": f"{self.url}/compute/v2.1/"}],
                }
                return 200, {"versions": [found]}, {}
            case "GET", "/compute/v2.1/servers/detail":
                return 200, {"servers": []}, {}
            case "GET", "/network/v2.0/networks":
                return 200, {"networks": [{"id": "n", "name": f"net-{_where(scope, 'network')}", "subnets": []}]}, {}
            case _ if self.gateway:
                return self._gateway(method, path, {key: values[0] for key, values in parse_qs(query).items()}, scope)
        return 404, {"error": {"code": 404, "title": "Not Found", "message": f"Could not find {path}"}}, {}

    def _gateway(
        self, method: str, path: str, query: dict[str, str], scope: str | None
    ) -> tuple[int, Any, dict[str, str]]:
        match path.removeprefix("/scope/saved"):
            case "/.well-known/openstackoid":
                services = {name: {"url": f"{self.url}/{name}"} for name in SERVICES}
                return 200, {"cloud": "CloudOne", "version": 1, "labels": [], "services": services}, {}
            case "/openstackoid/v1/replicas" if query.get("id") == "unknown":
                message = "Your project has no such replica."
                error = {"code": 404, "title": "Not Found", "message": message, "openstackoid_code": "replica.missing"}
                return 404, {"error": error}, {}
            case "/openstackoid/v1/replicas" if method == "POST" and "id" in query:
                self.queries.append(query)
                states = [
                    {"cloud": "CloudOne", "id": "a", "state": "same", "fields": []},
                    {"cloud": "CloudTwo", "id": "b", "state": "differs", "fields": ["cidr"]},
                ]
                return 200, {"replica": {"id": query["id"], "kind": "network.subnet", "members": states}}, {}
            case "/openstackoid/v1/replicas":
                members = [
                    {"cloud": "CloudOne", "id": "a", "state": "there"},
                    {"cloud": "CloudTwo", "id": "b", "state": "missing"},
                ]
                replica = {"id": "r", "kind": "network.network", "created_at": 1893456000.5, "members": members}
                part = {"cloud": "CloudTwo", "stage": "accepted", "error": "peer.timeout", "message": "late"}
                operation = {"id": "o", "replica": "r", "kind": "network.network", "does": "update", "clouds": [part]}
                return (
                    200,
                    {"replica": replica}
                    if "id" in query or method == "POST"
                    else {"replicas": [replica], "operations": [operation]},
                    {},
                )
            case "/openstackoid/v1/copies":
                return self._copy(query)
            case "/openstackoid/v1/audit" if query.get("user") == "nobody":
                message = "The policy audit:list does not allow this to you."
                error = {
                    "code": 403,
                    "title": "Forbidden",
                    "message": message,
                    "openstackoid_code": "operator.forbidden",
                }
                return 403, {"error": error}, {}
            case "/openstackoid/v1/audit":
                self.queries.append(query)
                return 200, audited(int(query.get("marker", 0)), int(query["limit"])), {}
            case "/openstackoid/v1/scopes":
                auth_url = f"{self.url}/scope/everywhere/v3"
                return 200, {"scopes": [{"name": "everywhere", "scope": {"image": "*"}, "auth_url": auth_url}]}, {}
            case "/openstackoid/v1/explain" if _where(scope, query["service"]) == "Nowhere":
                message = "Unknown cloud Nowhere: known are CloudOne, CloudTwo"
                error = {"code": 400, "title": "Bad Request", "message": message, "openstackoid_code": "cloud.unknown"}
                return 400, {"error": error}, {}
            case "/openstackoid/v1/explain":
                self.queries.append(query)
                cloud = _where(scope, query["service"])
                remote = cloud != "entry"
                why = (
                    [f"the scope names {cloud}"]
                    if remote
                    else ["the scope does not name it", "so the entry cloud serves it"]
                )
                told = {
                    "decision": "remote" if remote else "local",
                    "cloud": cloud if remote else "CloudOne",
                    "why": why,
                }
                return 200, {"entry": "CloudOne", **query, "scope": {}, "url": None, "error": None, **told}, {}
            case "/openstackoid/v1/peers":
                peer = {"name": "CloudTwo", "url": "http://two", "token": "pass-through", "labels": ["edge"]}
                down = {
                    **peer,
                    "name": "CloudThree",
                    "services": [],
                    "labels": [],
                    "state": "down",
                    "error": "connection refused",
                }
                up = {**peer, "services": ["image", "network"], "state": "up", "error": None}
                return 200, {"cloud": "CloudOne", "peers": [up, down]}, {}
        return 404, {"error": {"code": 404, "title": "Not Found", "message": path}}, {}

    def _copy(self, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        """A copy that is half sent when it is begun, and ends with the next question: CloudThree refuses."""
        done = "id" in query
        states: list[dict[str, Any]] = [
            {"cloud": "CloudThree", "id": None, "state": "failed", "bytes": 0, "error": "status.403", "message": "no"},
            {"cloud": "CloudTwo", "id": "i", "state": "copied" if done else "created", "bytes": 1 << 19},
        ]
        empty: dict[str, Any] = {"error": None, "message": ""}
        copy: dict[str, Any] = {"id": "c", "done": done, "clouds": [empty | one for one in states]}
        if not done:
            image = {"id": "i", "name": "cirros", "cloud": "CloudOne", "size": 1 << 20}
            copy |= {"image": image, "left": {"kernel_id": "it names another image of that cloud"}}
        return 200 if done else 202, {"copy": copy}, {}

    def _token(self, scope: str | None) -> dict[str, Any]:
        named = {"id": "default", "name": "Default"}
        catalog = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {"id": kind, "interface": "public", "region": "R", "region_id": "R", "url": f"{self.url}/{kind}"}
                ],
            }
            for kind in SERVICES
        ]
        return {
            "methods": ["password"],
            "user": {"id": "u", "name": "alice", "domain": named},
            "project": {"id": "p", "name": f"at-{_where(scope, 'identity')}", "domain": named},
            "roles": [{"id": "r", "name": "member"}],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "audit_ids": ["a"],
            "catalog": catalog,
        }


def audited(first: int, limit: int) -> dict[str, Any]:
    """A gateway's page of audit: the second of five is empty, because nothing of what it read was asked for."""
    pages: list[list[dict[str, Any]]] = [
        [_several(), _went("a")],
        [],
        [_went("b")],
        [_went("c"), _went("d")],
        [_went("e")],
    ]
    return {"cloud": "CloudOne", "lines": pages[first][:limit], "next": str(first + 1) if first < 4 else None}


def _went(name: str) -> dict[str, Any]:
    line = {"time": "2030-01-01T00:00:00.000Z", "cloud": "CloudOne", "direction": "out", "decision": "remote"}
    line |= {"peer": "CloudTwo", "user": name, "home": "CloudOne", "project": "p", "method": "GET", "service": "image"}
    return line | {
        "path": "/v2/images",
        "status": 403,
        "error": "agreement.rule",
        "agreement": "g",
        "client": "10.0.0.9",
    }


def _several() -> dict[str, Any]:
    return _went("s") | {"decision": "several", "legs": [{"peer": "CloudOne"}, {"peer": "CloudTwo"}]}


def _where(scope: str | None, service: str) -> str:
    entries = json.loads(scope) if scope else {}
    where = str(entries.get(service, entries.get("*", "entry")))
    return "several" if "&" in where else where


def _handler(cloud: FakeCloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: in two, each answer waits for a delayed ACK

        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            scope = self.headers.get("X-Scope")
            if parts.path != WELL_KNOWN:
                cloud.saw(self.headers)
            cloud.asked.append(Asked(self.command, parts.path, scope, self.headers.get("X-Auth-Token")))
            status, body, headers = cloud.answer(self.command, parts.path, parts.query, scope)
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                **headers,
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_PATCH = _serve  # noqa: N815 - the names are http.server's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
            """Say nothing."""

    return Handler


@pytest.fixture
def cloud() -> "Iterator[FakeCloud]":
    with FakeCloud() as server:
        yield server


@pytest.fixture
def bare() -> "Iterator[FakeCloud]":
    """A cloud without a gateway."""
    with FakeCloud(gateway=False) as server:
        yield server


@pytest.fixture
def environment(login: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name, value in login.items():
        monkeypatch.setenv(f"OS_{name.upper()}", value)


@pytest.fixture
def login(cloud: FakeCloud) -> dict[str, str]:
    return {
        "auth_url": f"{cloud.url}/identity",
        "username": "alice",
        "password": "secret",
        "project_name": "p",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }


@pytest.fixture
def run(environment: None) -> "Callable[..., int]":
    """The client's own `main`, within this process: ten times as fast as a new one."""

    def main(*arguments: str) -> int:
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        with warnings.catch_warnings():
            # The client warns of the parts of itself that it still uses.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            from openstackclient import shell  # noqa: PLC0415
            from osc_lib.clientmanager import ClientCache, ClientManager  # noqa: PLC0415

            # One process, one command, thinks the client: it keeps the services' handles on the class.
            for kept in vars(ClientManager).values():
                if isinstance(kept, ClientCache):
                    kept._handle = None
            try:
                return int(shell.main(list(arguments)))
            finally:
                root.handlers[:] = handlers
                root.setLevel(level)

    return main
