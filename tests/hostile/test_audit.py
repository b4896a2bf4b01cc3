"""The audit where nobody reads it, where it has no room, and what a client writes into it."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.wire import TOKEN, Answer, Cloud, Gateway, ask, connect, everything, until

from openstackoid.audit.lines import Reader

REQUESTS = 500  # at 400 bytes each, three times what a pipe holds


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud("CloudOne", paths=False)
    yield made
    made.close()


def asked(gateway: Gateway, *paths: str) -> None:
    """One after the other, on one connection."""
    requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {TOKEN}\r\n" for path in paths]
    requests[-1] += "Connection: close\r\n"
    with connect(gateway.url("image")) as connection:
        connection.sendall("".join(f"{each}\r\n" for each in requests).encode())
        assert everything(connection).count(b"HTTP/1.1 200 ") == len(paths)


def ready(gateway: Gateway) -> None:
    until(lambda: "serving at" in gateway.said or gateway.process.poll() is not None, 60)
    gateway.ready()


def health(gateway: Gateway, path: str = "/readyz") -> Answer:
    return ask(gateway.admin, path, token=None)


def lost(gateway: Gateway) -> float:
    text = ask(gateway.admin, "/metrics", token=None).body.decode()
    return next(
        float(line.split()[1]) for line in text.splitlines() if line.startswith("openstackoid_audit_lost_lines_total")
    )


class Piped(Gateway):
    """Its standard output is a pipe; standard error goes to a file."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder, self.file, self.output, self.config = folder, folder / "gateway.yaml", folder / "output", config
        self.write(config)
        self.reader, writer = os.pipe()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "openstackoid", "gateway", "--config", str(self.file)],
                stdout=writer, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        os.close(writer)


def named_pipe(folder: Path, cloud: Cloud) -> tuple[Gateway, Callable[[], int]]:
    os.mkfifo(folder / "audit.pipe")
    gateway = Gateway(folder, cloud.config(audit="audit.pipe"))
    return gateway, lambda: os.open(folder / "audit.pipe", os.O_RDONLY)


def standard_output(folder: Path, cloud: Cloud) -> tuple[Gateway, Callable[[], int]]:
    gateway = Piped(folder, cloud.config())
    return gateway, lambda: gateway.reader


@pytest.mark.parametrize("make", [named_pipe, standard_output])
def test_a_pipe_that_nobody_reads_stops_nobody(
    make: Callable[[Path, Cloud], tuple[Gateway, Callable[[], int]]], tmp_path: Path, cloud: Cloud
) -> None:
    gateway, read = make(tmp_path, cloud)
    try:
        ready(gateway)
        paths = [f"/v2/unread-{number}" for number in range(REQUESTS)]
        asked(gateway, *paths)
        assert health(gateway).status == 200
        until(lambda: "the audit cannot be written: nobody reads it" in gateway.said)
        ill = health(gateway, "/healthz")
        assert (ill.status, ill.json["status"]) == (503, "degraded")
        assert ill.json["parts"]["audit"]["detail"] == "it cannot be written: nobody reads it"
        # Somebody does after all: nothing was lost, nothing is torn.
        with os.fdopen(read(), "rb") as pipe:
            found = [json.loads(pipe.readline()) for _ in paths]
            assert [line["path"] for line in found] == paths
            until(lambda: "the audit is written again; 0 lines were lost" in gateway.said)
            until(lambda: health(gateway, "/healthz").status == 200)
            assert lost(gateway) == 0
            gateway.end()
            assert gateway.process.wait(60) == 0
    finally:
        gateway.process.kill()


def test_a_gateway_ends_although_nobody_reads_its_audit(tmp_path: Path, cloud: Cloud) -> None:
    gateway, _ = named_pipe(tmp_path, cloud)
    try:
        ready(gateway)
        asked(gateway, *(f"/v2/unread-{number}" for number in range(REQUESTS)))
        gateway.end()
        assert gateway.process.wait(60) == 0
        assert "lines of audit were lost: nobody reads it" in gateway.said
    finally:
        gateway.process.kill()


def test_what_waits_has_a_limit_and_what_is_lost_is_counted(tmp_path: Path, cloud: Cloud) -> None:
    gateway, _ = named_pipe(tmp_path, cloud)
    try:
        ready(gateway)
        # Each line has 1,024 characters of a path that has more.
        one = f"GET /v2/{'x' * 2000} HTTP/1.1\r\nHost: x\r\n\r\n"
        while not lost(gateway):
            with connect(gateway.url("image")) as connection:
                connection.sendall((one * 499 + one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).encode())
                everything(connection)
        until(lambda: "what is more is lost" in gateway.said)
        assert health(gateway).status == 200
    finally:
        gateway.process.kill()


def test_a_full_disk_tears_no_line(tmp_path: Path, cloud: Cloud) -> None:
    gateway = Gateway(tmp_path, cloud.config())
    try:
        ready(gateway)
        asked(gateway, "/v2/before")
        until(lambda: gateway.audit.read_text().endswith('"path":"/v2/before"}\n'))
        full = gateway.audit.stat().st_size + 1000  # two lines and a half
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        paths = [f"/v2/full-{number}" for number in range(20)]
        asked(gateway, *paths)
        until(lambda: "the audit cannot be written: File too large" in gateway.said)
        assert gateway.audit.stat().st_size == full
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: "the audit is written again; 0 lines were lost" in gateway.said)
        found = list(Reader().read([gateway.audit], lambda: gateway.audit))
        assert [line["path"] for line in found] == ["/v2/before", *paths]
    finally:
        gateway.process.kill()


def test_what_a_killed_gateway_left_is_ended(tmp_path: Path, cloud: Cloud) -> None:
    (tmp_path / "audit.jsonl").write_text('{"time":"2030-01-01T00:00:00.000Z","clo')
    gateway = Gateway(tmp_path, cloud.config())
    try:
        ready(gateway)
        asked(gateway, "/v2/after")
        until(lambda: gateway.audit.read_text().endswith('"path":"/v2/after"}\n'))
        assert gateway.audit.read_text().splitlines()[0] == '{"time":"2030-01-01T00:00:00.000Z","clo'
    finally:
        gateway.process.kill()
