"""What the gateway's tests stand on: upstreams, clients and gateways that meet at the wire, byte by byte."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from os_service_types import ServiceTypes
from tests import commands
from tests.ports import free_ports

from openstackoid.core.services import service_type

# In every request of the suite; nothing that the gateways write may hold them.
TOKEN = "gAAAAAmarker-user-token"
SERVICE_TOKEN = "gAAAAAmarker-service-token"
QUERY = "marker-in-the-query"
SECRETS = (TOKEN, SERVICE_TOKEN, QUERY, "gAAAAAmarker")
T = TypeVar("T")
PROJECT = "0123456789abcdef0123456789abcdef"


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port where nobody listens, nor anybody else will meanwhile: it is held."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def until(what: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true answer, or an AssertionError."""
    end = time.monotonic() + seconds
    while True:
        if answer := what():
            return answer
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.005)


@dataclass
class Seen:
    """A request as an upstream saw it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    connection: int
    raw: bytes = b""  # the body with its framing
    whole: bool = False  # it came to its end
    gone: threading.Event = field(default_factory=threading.Event)  # the connection ended

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


Handler = Callable[["Seen", socket.socket], bytes | None]


def reply(status: int = 200, body: object = b"", headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP answer; anything but bytes as JSON."""
    given = dict(headers or {})
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if not isinstance(body, bytes):
        given.setdefault("Content-Type", "application/json")
    given.setdefault("Content-Length", str(len(data)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Answer\r\n{lines}\r\n".encode() + data


class Upstream:
    """An HTTP server that records what came, bytes and all, and answers what a test says.

    It reads as WSGI servers do: one request after the other on a connection, the body first.
    """

    def __init__(self, default: Handler) -> None:
        self.default = default
        self.handlers: dict[str, Handler] = {}
        self.early: set[str] = set()  # paths that are answered before the body is read
        self.requests: list[Seen] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, handler: Handler | bytes, *, early: bool = False) -> None:
        """Answer requests whose path begins so with these bytes, or what the handler says; None: it answered itself."""
        self.handlers[path] = handler if callable(handler) else lambda _seen, _sock: handler
        if early:
            self.early.add(path)

    def seen(self, path: str, count: int = 1) -> Seen:
        """The last request whose path begins so, once there are as many."""
        until(lambda: len(self.all(path)) >= count)
        return self.all(path)[-1]

    def all(self, path: str) -> list[Seen]:
        return [seen for seen in self.requests if seen.target.startswith(path)]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        seen: Seen | None = None
        try:
            with connection, connection.makefile("rb") as reader:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while line := reader.readline():
                    parts = line.decode("latin-1").rstrip("\r\n").split(" ")
                    if len(parts) != 3:
                        self.requests.append(Seen("?", line.decode("latin-1"), [], number))
                        connection.sendall(reply(400, {"error": "not a request"}, {"Connection": "close"}))
                        connection.shutdown(socket.SHUT_WR)
                        reader.read()
                        return
                    headers: list[tuple[str, str]] = []
                    while (line := reader.readline()) not in {b"\r\n", b""}:
                        name, _, value = line.decode("latin-1").rstrip("\r\n").partition(": ")
                        headers.append((name, value))
                    seen = Seen(parts[0], parts[1], headers, number)
                    self.requests.append(seen)
                    path = max((path for path in self.handlers if seen.target.startswith(path)), key=len, default=None)
                    handler = self.handlers[path] if path else self.default
                    if path not in self.early:
                        for piece in _body(reader, seen):
                            seen.raw += piece
                        if not seen.whole:
                            return
                    answer = handler(seen, connection)
                    if answer is None:
                        return
                    connection.sendall(answer)
        except OSError:
            pass
        finally:
            if seen:
                seen.gone.set()


def _body(reader: Any, seen: Seen) -> Iterator[bytes]:
    if "chunked" in (seen.get("Transfer-Encoding") or ""):
        while True:
            size = reader.readline()
            yield size
            if not size.strip():
                return
            count = int(size, 16)
            data = reader.read(count + 2)
            yield data
            if len(data) < count + 2:
                return
            if count == 0:
                break
    else:
        left = int(seen.get("Content-Length") or 0)
        while left:
            data = reader.read1(min(left, 65536))
            if not data:
                return
            left -= len(data)
            yield data
    seen.whole = True


@dataclass
class Answer:
    """What a client got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The message of an error of ours, in OpenStack's form."""
        error = self.json["error"]
        assert error["code"] == self.status
        assert error["title"]
        assert (self.get("Content-Type") or "").startswith("application/json")
        assert (self.get("X-Openstack-Request-Id") or "").startswith("req-")
        assert not any(secret in self.body.decode() for secret in SECRETS)
        return str(error["message"])

    @property
    def code(self) -> str:
        return str(self.json["error"]["openstackoid_code"])


def ask(
    url: str,
    path: str,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    *,
    method: str = "GET",
    body: bytes | None = None,
    token: str | None = TOKEN,
) -> Answer:
    """One request on a connection of its own, with exactly these headers (and Host if none is given, and a length)."""
    _, _, rest = url.partition("://")
    netloc, slash, prefix = rest.partition("/")
    given = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    connection = http.client.HTTPConnection(netloc, timeout=60)
    try:
        named = any(name.lower() == "host" for name, _ in given)
        connection.putrequest(method, f"{slash}{prefix}{path}", skip_accept_encoding=True, skip_host=named)
        if token is not None and not any(name.lower() == "x-auth-token" for name, _ in given):
            given.append(("X-Auth-Token", token))
        if body is not None:
            given.append(("Content-Length", str(len(body))))
        for name, value in given:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def scope(**clouds: str) -> dict[str, str]:
    """The X-Scope header."""
    return {"X-Scope": json.dumps(clouds)}


def connect(url: str) -> socket.socket:
    host, _, port = url.partition("://")[2].partition("/")[0].partition(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def raw(url: str, data: bytes) -> bytes:
    """Send bytes that end the connection (`Connection: close`), and read all that comes."""
    with connect(url) as connection:
        connection.sendall(data)
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    pieces = []
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


class Gateway:
    """`openstackoid gateway` in a process of its own."""

    def __init__(
        self, folder: Path, config: dict[str, Any], *options: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "gateway.yaml"
        self.audit = folder / "audit.jsonl"
        self.output = folder / "output"
        self.config: dict[str, Any] = {"audit": "audit.jsonl"} | config
        self.write(self.config)
        with self.output.open("wb") as output:
            self.process = commands.popen(
                [sys.executable, "-m", "openstackoid", "gateway", "--config", str(self.file), *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""} | dict(environment or {}),
            )

    def write(self, config: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(config))  # YAML as well

    def url(self, service: str) -> str:
        return str(self.config["services"][service]["frontend"])

    @property
    def admin(self) -> str:
        return f"http://{self.config['admin']['listen']}"

    @property
    def said(self) -> str:
        return self.output.read_text()

    def ready(self) -> None:
        def serving() -> bool:
            assert self.process.poll() is None, self.said
            return "serving at" in self.said

        until(serving)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def line(self, path: str) -> dict[str, Any]:
        """The last line of audit for a path. A thread writes them after the answers: what was asked before stands there before a mark."""
        mark = f"/openstackoid/v1/mark-{os.urandom(8).hex()}"
        with contextlib.suppress(OSError):  # it has ended
            ask("/".join(self.url("image").split("/")[:3]), mark, token=None)
            until(lambda: any(line["path"] == mark for line in self.lines()))
        return until(lambda: [line for line in self.lines() if line["path"] == path])[-1]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Wait for the end."""
        try:
            return self.process.wait(30)  # far above `grace`: it only ends a hang
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


SERVICES = ("identity", "image", "compute", "network", "placement")
# Official types of services that no cloud of the tests has.
UNASKED = sorted(
    {service_type(kind) or kind for kind in ServiceTypes().all_types_by_service_type} - {*SERVICES, "block-storage"}
)


def unasked(cloud: str) -> dict[str, str]:
    """Entries of a scope that nobody asks for: they make its text one that nobody has seen."""
    return dict.fromkeys(random.SystemRandom().sample(UNASKED, 8), cloud)


class Cloud:
    """A fake cloud: an upstream for each service, and the configuration of a gateway before them."""

    def __init__(self, name: str, *, paths: bool) -> None:
        self.name = name
        self.services = {kind: Upstream(self._echo(kind)) for kind in SERVICES}
        ports = free_ports(len(SERVICES) + 1)
        self.admin = f"127.0.0.1:{ports.pop()}"
        self.frontends = {
            kind: f"http://127.0.0.1:{ports[0]}/{kind}" if paths else f"http://127.0.0.1:{port}"
            for kind, port in zip(SERVICES, ports, strict=True)
        }
        self.services["identity"].on("/v3/auth/tokens", self._token)

    def __getitem__(self, kind: str) -> Upstream:
        return self.services[kind]

    def config(self, **more: Any) -> dict[str, Any]:
        services = {kind: {"frontend": url, "backend": self.services[kind].url} for kind, url in self.frontends.items()}
        services["compute"]["endpoint"] = self.frontends["compute"] + "/v2.1/%(project_id)s"
        for peer in more.get("peers", {}).values():
            peer.setdefault("token", "pass-through")
        timeouts = {"connect": 5, "idle": 10, "refresh": 0.2, "grace": 3}
        return {"cloud": self.name, "services": services, "admin": {"listen": self.admin}, "timeouts": timeouts} | more

    def catalog(self) -> list[dict[str, Any]]:
        urls = self.frontends | {"compute": f"{self.frontends['compute']}/v2.1/{PROJECT}"}
        return [
            {
                "type": kind,
                "name": f"{kind} of {self.name}",
                "id": kind,
                "endpoints": [{"id": kind, "interface": "public", "region": "R", "region_id": "R", "url": url}],
            }
            for kind, url in urls.items()
        ]

    def close(self) -> None:
        for service in self.services.values():
            service.close()

    def _echo(self, kind: str) -> Handler:
        def answer(seen: Seen, _: socket.socket) -> bytes:
            document = {"cloud": self.name, "service": kind, "target": seen.target}
            return reply(200, b"" if seen.method == "HEAD" else document)

        return answer

    def _token(self, seen: Seen, _: socket.socket) -> bytes:
        roles = [{"name": "service" if seen.get("X-Subject-Token") == SERVICE_TOKEN else "member"}]
        token = {"user": {"id": "u"}, "project": {"id": PROJECT}, "roles": roles, "catalog": self.catalog()}
        return reply(201 if seen.method == "POST" else 200, {"token": token}, {"X-Subject-Token": "gAAAAAmarker-new"})
