"""A malicious peer as a program: an honest gateway federates with it, and it answers everything else with the bytes that a script gives.

    python -m tests.hostile.peer --name Mallory --keys keys.json --port 12345 --script script.json --record record.jsonl
        [--certificate mallory.crt --key mallory.key]

It shows a valid `/.well-known/openstackoid` and `/openstackoid/v1/agreement` with its real keys, so it is let in like any peer.
The script is read again for each request:

    {"rules": [{"method": "GET" | null, "path": "/image/v2/images", "steps": [step, ...]}]}

The rule with the longest path that the target begins with answers, and the last of those; a rule can also replace the two documents.
Without a rule the answer is 200 with JSON. A step is one of:

    {"send": "HTTP/1.1 200 OK\\r\\n...", "times": 1, "every": 0}   bytes as Latin-1, repeated, with seconds between
    {"wait": 1.5}                                              seconds
    {"hold": true}                                             until the other side closes
    {"close": true}                                            end the connection

Each request is a line in the record: `{"method", "target", "headers": [[name, value], ...], "body", "size", "connection"}`.
"""

import argparse
import itertools
import json
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from tests.gateway.wire import reply

from openstackoid.trust import key_files
from openstackoid.trust.keys import Keys

KINDS = ("identity", "image", "compute", "network", "placement", "block-storage")
AGREEMENT = "e" * 32
KEPT = 65_536  # bytes of a body that are recorded


def document(name: str, url: str, keys: Keys) -> dict[str, Any]:
    """The valid `/.well-known/openstackoid`."""
    services = {kind: {"url": f"{url}/{kind}"} for kind in KINDS}
    return {"cloud": name, "version": 1, "services": services} | keys.published(time.time())


def agreement(**changed: Any) -> dict[str, Any]:
    """The valid `/openstackoid/v1/agreement`: what this peer lets the other cloud's users do."""
    given = {"agreement": AGREEMENT, "state": "active", "services": list(KINDS[1:]), "roles": ["member", "reader"]}
    return given | changed


class Program:
    """The listener, its script, and its record."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.url = f"{'https' if options.certificate else 'http'}://127.0.0.1:{options.port}"
        self.keys = key_files.read(options.keys)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        if options.certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(options.certificate, options.key)

    def serve(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.options.port), backlog=512)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection: socket.socket) -> None:
        number = next(self._numbers)
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, connection.makefile("rb") as reader:
                while line := reader.readline():
                    self._request(line, reader, connection, number)
        except (OSError, ValueError):
            connection.close()

    def _request(self, line: bytes, reader: BinaryIO, connection: socket.socket, number: int) -> None:
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while (line := reader.readline()) not in {b"\r\n", b"\n", b""}:
            name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
            headers.append((name, value.strip()))
        body = b"".join(_body(reader, {name.lower(): value for name, value in headers}))
        seen = {"method": method, "target": target, "headers": headers, "connection": number}
        seen |= {"body": body[:KEPT].decode("latin-1"), "size": len(body)}
        with self._lock, self.options.record.open("a") as record:
            record.write(json.dumps(seen) + "\n")
        for step in self._steps(method, target):
            if not _taken(step, connection, reader):
                raise ConnectionAbortedError

    def _steps(self, method: str, target: str) -> list[dict[str, Any]]:
        rules = json.loads(self.options.script.read_text())["rules"]
        fitting = [rule for rule in rules if target.startswith(rule["path"]) and rule["method"] in {None, method}]
        if fitting:
            best = max(len(rule["path"]) for rule in fitting)
            steps: list[dict[str, Any]] = [rule for rule in fitting if len(rule["path"]) == best][-1]["steps"]
            return steps
        answers: dict[str, Any] = {
            "/.well-known/openstackoid": document(self.options.name, self.url, self.keys),
            "/openstackoid/v1/agreement": agreement(),
        }
        told = answers.get(target, {"cloud": self.options.name, "target": target})
        return [{"send": reply(200, b"" if method == "HEAD" else told).decode("latin-1")}]


def _taken(step: dict[str, Any], connection: socket.socket, reader: BinaryIO) -> bool:
    """Do what a step says; False ends the connection."""
    if "send" in step:
        for count in range(step.get("times", 1)):
            if count and step.get("every"):
                time.sleep(step["every"])
            connection.sendall(step["send"].encode("latin-1"))
    elif "wait" in step:
        time.sleep(step["wait"])
    elif "hold" in step:
        reader.read()
    return not step.keys() & {"hold", "close"}


def _body(reader: BinaryIO, headers: dict[str, str]) -> Any:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while size := int(reader.readline().partition(b";")[0], 16):
            yield reader.read(size)
            reader.readline()
        while reader.readline() not in {b"\r\n", b""}:
            pass
    else:
        yield reader.read(int(headers.get("content-length") or 0))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="Mallory")
    parser.add_argument("--port", type=int, required=True)
    for path in ("--keys", "--script", "--record"):
        parser.add_argument(path, type=Path, required=True)
    for path in ("--certificate", "--key"):
        parser.add_argument(path, type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    Program(_options()).serve()
