"""What the gateway's tests stand on: upstreams, clients and gateways that meet at the wire, byte by byte."""

import contextlib
import functools
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from os_service_types import ServiceTypes
from tests import commands
from tests.gateway.upstream import Handler, Seen, Upstream, reply, until
from tests.ports import free_ports
from tests.records import Records

from openstackoid.core.services import service_type

__all__ = ["Answer", "Cloud", "Gateway", "Handler", "Seen", "Upstream", "ask", "reply", "scope", "until"]

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
    timeout: float = 60,
) -> Answer:
    """One request on a connection of its own, with exactly these headers (and Host if none is given, and a length)."""
    _, _, rest = url.partition("://")
    netloc, slash, prefix = rest.partition("/")
    given = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    connection = http.client.HTTPConnection(netloc, timeout=timeout)
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
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""} | commands.NO_AUTHORITIES | dict(environment or {}),
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

    @property
    def root(self) -> str:
        """Its URL without the path of a service."""
        return "/".join(self.url("identity").split("/")[:3])

    def up(self) -> set[str]:
        """The peers that it knows to be up."""
        told = ask(self.root, "/openstackoid/v1/peers", token=None).json
        return {peer["name"] for peer in told["peers"] if peer["state"] == "up"}

    @functools.cached_property
    def _records(self) -> Records:
        return Records(self.audit)

    def lines(self) -> list[dict[str, Any]]:
        return self._records.lines()

    def line(self, path: str) -> dict[str, Any]:
        """The last line of audit for a path. A thread writes them after the answers: what was asked before stands there before a mark."""
        mark = f"/openstackoid/v1/mark-{os.urandom(8).hex()}"
        with contextlib.suppress(OSError):  # it has ended
            ask(self.root, mark, token=None)
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
        if "compute" in services:
            services["compute"]["endpoint"] = self.frontends["compute"] + "/v2.1/%(project_id)s"
        for peer in more.get("peers", {}).values():
            peer.setdefault("token", "pass-through")
        timeouts = {"connect": 5, "idle": 10, "refresh": 0.5, "grace": 3}
        return {"cloud": self.name, "services": services, "admin": {"listen": self.admin}, "timeouts": timeouts} | more

    def catalog(self) -> list[dict[str, Any]]:
        paths = {"compute": f"/v2.1/{PROJECT}"}
        urls = {kind: url + paths.get(kind, "") for kind, url in self.frontends.items()}
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
