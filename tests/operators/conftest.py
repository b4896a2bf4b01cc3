"""An operator's desk: a configuration, a database, another cloud's gateway at the wire, and the real program."""

import contextlib
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests import commands
from tests.commands import NO_AUTHORITIES

from openstackoid.cli import main
from openstackoid.trust import key_files, keys
from openstackoid.trust.store import Store

WELL_KNOWN: Final = "/.well-known/openstackoid"


class Gateway:
    """A server that answers what a gateway would; `answers`: path -> (status, headers, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.seen.append((self.path, dict(self.headers.items())))
                status, heads, body = outer.answers.get(self.path, (404, {}, b"{}"))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **heads}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def says(self, path: str, document: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[path] = (status, headers or {}, body)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Peer(Gateway):
    """Another cloud, with keys."""

    def __init__(self, name: str = "CloudTwo") -> None:
        super().__init__()
        self.name = name
        self.keys = keys.fresh_keys(1)
        self.publish()

    def publish(self, now: float = 2e9, **more: object) -> None:
        services = {"image": {"url": f"{self.url}/image"}, "compute": {"url": f"{self.url}/compute"}}
        document = {"cloud": self.name, "version": 1, "labels": [], "services": services}
        self.says(WELL_KNOWN, document | self.keys.published(now) | more)

    @property
    def fingerprint(self) -> str:
        return self.keys.fingerprint


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass
class Desk:
    """CloudOne's operator."""

    folder: Path
    config: dict[str, Any]
    gateway: Gateway  # ours

    @property
    def file(self) -> Path:
        return self.folder / "gateway.yaml"

    @property
    def store(self) -> Store:
        return Store(f"sqlite:///{self.folder / 'trust.sqlite'}")

    def bind_project(self, theirs: str, ours: str) -> None:
        """Let a project of CloudOne stand for one of CloudTwo, as a gateway does."""
        self.store.projects.reserve("CloudTwo", theirs, "1" * 32, 1000)
        assert self.store.projects.bind("CloudTwo", theirs, "1" * 32, ours) == ours

    def write(self, **more: Any) -> None:
        self.config |= more
        self.file.write_text(yaml.safe_dump(self.config))

    def run(self, *words: str, answer: str = "", env: dict[str, str] | None = None) -> Done:
        given = {**os.environ, "OPENSTACKOID_CONFIG": str(self.file), "COLUMNS": "200", **NO_AUTHORITIES}
        given.pop("SUDO_USER", None)
        done = commands.run(
            [str(Path(sys.executable).with_name("openstackoid")), *words],
            input=answer,
            env=given | (env or {}),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def ask(self, *words: str) -> Done:
        """The same without a process of its own: for the many small questions."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setenv("OPENSTACKOID_CONFIG", str(self.file))
            try:
                code = main(words)
            except SystemExit as end:
                code = int(end.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    def add(self, peer: Peer, *words: str) -> Done:
        done = self.run("peer", "add", peer.url, "--fingerprint", peer.fingerprint, "--yes", *words)
        assert done.code == 0, done.err
        return done


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    # Our own gateway: what asks it for our peers must do without, too.
    gateway = Gateway()
    key_files.create(tmp_path / "keys.json")
    config = {
        "cloud": "CloudOne",
        "services": {"image": {"frontend": gateway.url, "backend": "http://127.0.0.1:1"}},
        "trust": {"keys": "keys.json", "database": "sqlite:///trust.sqlite"},
        "audit": "audit.jsonl",
    }
    made = Desk(tmp_path, config, gateway)
    made.write()
    yield made
    gateway.close()
