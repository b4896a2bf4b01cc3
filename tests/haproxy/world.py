"""Clouds with the real HAProxy in front of their gateways, and upstreams that show at the wire what arrives."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from tests.gateway.owners import Bare, Owner, private
from tests.gateway.wire import SECRETS, Gateway, Seen, Upstream, ask, reply, unasked, until
from tests.ports import free_port

from openstackoid.cli import main
from openstackoid.haproxy.plan import ADMIN, CONFIGURATION, HERE, PEERS, TOKENS, WAYS

KINDS = ("identity", "image", "compute", "network", "placement", "block-storage")
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin") or "haproxy"


class Authority:
    """Who signs certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ca.crt"
        folder.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(self.file)

    def pair(self, name: str, address: str = "127.0.0.1") -> dict[str, str]:
        """PEM files of a certificate for a name at an address, of a server or a client; as the gateway's `tls` section has them."""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        issued = self._ca.issue_cert(name, address)
        issued.private_key_pem.write_to_path(key)
        issued.cert_chain_pems[0].write_to_path(certificate)
        return {"certificate": str(certificate), "key": str(key)}


class Proxy:
    """HAProxy, from the configuration that `openstackoid haproxy render` writes; in a short folder, for its sockets."""

    def __init__(self, gateway: Path, folder: Path) -> None:
        self.folder = folder
        self.gateway = gateway
        assert main(["haproxy", "render", "--config", str(gateway)]) == 0
        self.start()

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [HAPROXY, "-W", "-S", str(self.folder / "master.sock"), "-f", str(self.folder / CONFIGURATION)],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        until(lambda: self.serves() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said

    @property
    def said(self) -> str:
        return (self.folder / "output").read_text()

    def serves(self) -> bool:
        try:
            return self.pid() > 0
        except OSError:
            return False

    def tell(self, command: str) -> str:
        """What the admin socket answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.folder / ADMIN))
            connection.sendall(command.encode() + b"\n")
            pieces = []
            while piece := connection.recv(65536):
                pieces.append(piece)
        return b"".join(pieces).decode()

    def pid(self) -> int:
        """Of the worker that serves."""
        told = dict(line.partition(": ")[::2] for line in self.tell("show info").splitlines())
        return int(told.get("Pid", 0))

    def map(self, name: str) -> dict[str, str]:
        """What a map holds now."""
        lines = [line.split(" ", 2) for line in self.tell(f"show map {self.folder / name}").splitlines() if line]
        return {key: value for _, key, value in lines}

    @property
    def ways(self) -> dict[str, str]:
        """Where scopes lead, here and there."""
        return self.map(HERE) | self.map(WAYS)

    @property
    def tokens(self) -> dict[str, str]:
        return self.map(TOKENS)

    @property
    def peers(self) -> dict[str, str]:
        return self.map(PEERS)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


class Fronted(Owner):
    """A cloud with HAProxy in front of its gateway: the frontends are HAProxy's, the gateway is behind it."""

    def __init__(self, name: str, folder: Path, *, paths: bool = False, signer: Authority | None = None) -> None:
        super().__init__(name, folder)
        volumes = free_port()
        self.frontends["block-storage"] = f"http://127.0.0.1:{volumes}"
        self.services["block-storage"] = Upstream(self._echo("block-storage"))
        if paths:
            self.frontends = {kind: f"http://127.0.0.1:{volumes}/{kind}" for kind in KINDS}
        self.signer = signer
        # Where its gateway listens behind HAProxy, at the ports of the frontends.
        self.behind = f"127.{random.randrange(64, 128)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        self.short = Path(tempfile.mkdtemp(prefix="osh"))
        if signer:
            self.peering = self.peering.replace("http:", "https:")
        self.proxy: Proxy
        self.gateway: Gateway
        self.proxy_said = ""

    @property
    def dns(self) -> str:
        """The name in its certificate."""
        return f"{self.name.lower()}.example"

    def entry(self, allow: Mapping[str, Any]) -> dict[str, Any]:
        return super().entry(allow) | ({"tls_name": self.dns} if self.signer else {})

    def settings(self, peers: dict[str, Any], **trust: Any) -> dict[str, Any]:
        found = super().settings(peers, **trust)
        found["haproxy"] = {"gateway": self.behind, "directory": str(self.short), "threads": 1}
        if self.signer:
            found["ca"] = str(self.signer.file)
            found["peering"]["tls"] = self.signer.pair(self.dns, "127.0.0.1")
        return found

    def start(
        self, peers: dict[str, Any], workers: int = 1, more: Mapping[str, Any] | None = None, **trust: Any
    ) -> None:
        """HAProxy first: it needs no gateway to begin."""
        config = self.settings(peers, **trust) | dict(more or {})
        self.again(config, workers)
        try:
            self.proxy = Proxy(self.gateway.file, self.short)
        except BaseException:
            self.gateway.end()
            raise

    def again(self, config: dict[str, Any] | None = None, workers: int = 1) -> None:
        """Another gateway in the place of one that ended."""
        self.gateway = Gateway(self.folder, config or self.gateway.config, "--workers", str(workers))

    def halt(self) -> None:
        """Have the gateway end."""
        self.gateway.end()
        self.gateway.process.wait(30)

    def ready(self) -> None:
        until(lambda: "serving at" in self.gateway.said or self.gateway.process.poll() is not None, 60)
        self.gateway.ready()

    def url(self, kind: str) -> str:
        """Through HAProxy."""
        return self.frontends[kind]

    def alone(self, kind: str) -> str:
        """The gateway behind it."""
        return self.frontends[kind].replace("127.0.0.1", self.behind)

    def agreed(self, *others: str) -> bool:
        listed = ask(self.alone("image").removesuffix("/image"), "/openstackoid/v1/peers", token=None).json["peers"]
        told = {peer["name"]: peer for peer in listed}
        return all(told[name]["state"] == "up" and told[name]["agreement"]["theirs"] == "active" for name in others)

    def passed(self, path: str) -> bool:
        """Whether a request came by the gateway: a later one stands in its audit, and all before it."""
        mark = f"/openstackoid/v1/none-{os.urandom(8).hex()}"
        ask(self.alone("image").removesuffix("/image"), mark, token=None)
        self.gateway.line(mark)
        return any(line["path"] == path for line in self.gateway.lines())

    def stop(self) -> None:
        self.gateway.end()
        self.proxy.stop()
        self.gateway.process.wait(30)
        self.close()
        self.proxy_said = self.proxy.said
        shutil.rmtree(self.short, ignore_errors=True)


class Secure(Bare):
    """Another owner's cloud without a gateway, behind TLS: it shows what arrives."""

    def __init__(self, name: str, signer: Authority) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.signer = signer
        self.kept: list[socket.socket] = []
        self.names: list[str | None] = []  # for which clients asked in the handshake
        self.context.sni_callback = lambda _socket, asked, _context: self.names.append(asked)
        self.show(f"{name.lower()}.example", "127.0.0.1")
        super().__init__(name)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def show(self, name: str, address: str) -> None:
        """Show a certificate for these from now on."""
        pair = self.signer.pair(name, address)
        self.context.load_cert_chain(pair["certificate"], pair["key"])

    def entry(self, allow: Mapping[str, Any]) -> dict[str, Any]:
        return super().entry(allow) | {"tls_name": f"{self.name.lower()}.example"}

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            secured = self.context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
        self.kept.append(secured)
        super()._serve(secured, number)

    def cut(self) -> None:
        """End the connections that others keep to it."""
        for connection in self.kept:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.kept.clear()


def wrote_no_secret(*clouds: Fronted, more: Iterable[str] = ()) -> None:
    """Of clouds that have stopped: no traceback, and no token or key in logs, audit, and `more` (metrics)."""
    written = list(more)
    for cloud in clouds:
        assert "Traceback" not in cloud.gateway.said, cloud.gateway.said
        written.append(cloud.gateway.said + cloud.gateway.audit.read_text() + cloud.proxy_said)
    hidden = [*SECRETS, *(secret for cloud in clouds for secret in private(cloud.keys))]
    for text in written:
        assert [secret for secret in hidden if secret in text] == []
        assert re.findall(r"eyJ[\w-]{20}|~[\w-]{22}", text) == []


@dataclass
class World:
    """CloudOne is the users' own; CloudTwo and CloudBare are of other owners, CloudThree of the same."""

    one: Fronted
    two: Fronted
    three: Fronted
    bare: Secure


def marked(kind: str, cloud: str) -> dict[str, str]:
    """A scope that nobody was taught yet."""
    return {"X-Scope": json.dumps({kind: cloud} | unasked("CloudOne"), separators=(",", ":"))}


def echo(name: str) -> Upstream:
    """A bare upstream that says its name."""
    return Upstream(lambda seen, _: reply(200, {"cloud": name, "target": seen.target}))


def names(seen: Seen) -> set[str]:
    return {name.lower() for name, _ in seen.headers}
