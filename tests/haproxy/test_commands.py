"""`openstackoid haproxy render|check|apply`: what they write, and that a reload is not noticed."""

import http.client
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.wire import ask, until
from tests.haproxy.world import Authority, Fronted, echo
from tests.ports import free_port

from openstackoid.cli import main

CERTIFICATES = {"peering.pem"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    folder = tmp_path_factory.mktemp("commands")
    made = Fronted("CloudOne", folder / "one", signer=Authority(folder))
    there = echo("There")
    haproxy = {"gateway": made.behind, "directory": str(made.short), "threads": 1}
    made.start(
        {"There": {"url": there.url, "token": "pass-through", "services": {"image": there.url}}},
        more={"haproxy": haproxy | {"metrics": f"127.0.0.1:{free_port()}"}},
    )
    try:
        made.ready()
        yield made
    finally:
        made.stop()
        there.close()


def said(capsys: pytest.CaptureFixture[str], *words: str, file: Path) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["haproxy", *words, "--config", str(file)])
    found = capsys.readouterr()
    return code, found.out + found.err


def changed(cloud: Fronted, name: str, change: dict[str, Any]) -> Path:
    """Another configuration of the same cloud."""
    file = cloud.folder / name
    document = json.loads(cloud.gateway.file.read_text())
    for key, value in change.items():
        document[key] = document.get(key, {}) | value if isinstance(value, dict) else value
    file.write_text(json.dumps(document))
    return file


def written(cloud: Fronted) -> dict[str, bytes]:
    """All that HAProxy reads; its own log is not of it."""
    return {path.name: path.read_bytes() for path in cloud.short.iterdir() if path.is_file() and path.name != "output"}


def test_haproxy_counts_what_it_sends_straight(cloud: Fronted) -> None:
    exporter = f"http://{cloud.gateway.config['haproxy']['metrics']}"
    series = 'haproxy_backend_http_responses_total{proxy="service_image",code="2xx"}'

    def count() -> float:
        text = ask(exporter, "/metrics", token=None).body.decode()
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(series))

    before = count()
    assert ask(cloud.url("image"), "/v2/images/straight").status == 200
    until(lambda: count() == before + 1)
    assert not cloud.passed("/v2/images/straight")
    assert ask(exporter, "/", token=None).status == 404


def test_files_are_written_once_and_are_their_owners(cloud: Fronted, capsys: pytest.CaptureFixture[str]) -> None:
    # Not those that the gateway writes at this moment, to put them in the place of a map.
    files = [path for path in cloud.short.iterdir() if not path.name.startswith(".") and path.is_file()]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    assert modes.pop("output") is not None
    assert set(modes.values()) == {0o600} or {modes[name] for name in CERTIFICATES} == {0o600}
    assert modes.keys() >= CERTIFICATES | {"haproxy.cfg", "ways.map", "tokens.map", "peers.map", "visitors.map"}
    assert stat.S_IMODE((cloud.short / "admin.sock").stat().st_mode) == 0o600
    times = {path.name: path.stat().st_mtime_ns for path in cloud.short.glob("*.[chp]*")}
    code, told = said(capsys, "render", file=cloud.gateway.file)
    assert code == 0
    assert "nothing has changed" in told
    assert {path.name: path.stat().st_mtime_ns for path in cloud.short.glob("*.[chp]*")} == times
    worker = cloud.proxy.pid()
    code, told = said(capsys, "apply", file=cloud.gateway.file)
    assert (code, cloud.proxy.pid()) == (0, worker)
    assert "nothing has changed" in told


def test_check_touches_nothing(cloud: Fronted, capsys: pytest.CaptureFixture[str]) -> None:
    before = (cloud.short / "haproxy.cfg").read_text()
    file = changed(cloud, "checked.yaml", {"timeouts": {"connect": 2}})
    code, told = said(capsys, "check", file=file)
    assert code == 0, told
    assert (cloud.short / "haproxy.cfg").read_text() == before
    slow = changed(
        cloud, "slow.yaml", {"services": {"image": {"frontend": "http://127.0.0.1:9/x", "backend": cloud["image"].url}}}
    )
    code, told = said(capsys, "check", file=slow)
    assert code == 0
    assert "image" in told.splitlines()[-1]


def test_apply_loses_no_request(cloud: Fronted, capsys: pytest.CaptureFixture[str]) -> None:
    """A client that is busy on one connection, others that come anew, and one that is idle meanwhile."""
    host = cloud.url("image").removeprefix("http://")
    stop, counted, wrong = threading.Event(), [0, 0], []

    def busy(place: int) -> None:
        connection = http.client.HTTPConnection(host, timeout=10)
        try:
            while not stop.is_set():
                connection.request("GET", "/v2/busy", headers={"X-Auth-Token": "t"})
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                counted[place] += 1
                if place:
                    connection.close()
        except Exception as error:
            wrong.append(error)

    idle = http.client.HTTPConnection(host, timeout=10)
    idle.request("GET", "/v2/idle")
    idle.getresponse().read()
    threads = [threading.Thread(target=busy, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        for seconds in (2, 3, 4):
            worker, before = cloud.proxy.pid(), list(counted)
            file = changed(cloud, "applied.yaml", {"timeouts": {"connect": seconds}})
            code, told = said(capsys, "apply", file=file)
            assert code == 0, told
            assert "in force" in told
            assert cloud.proxy.pid() != worker
            assert f"timeout connect {seconds}000ms" in (cloud.short / "haproxy.cfg").read_text()
            until(lambda before=before: wrong or all(now > then for now, then in zip(counted, before, strict=True)))  # type: ignore[misc]
            # A client that was idle reconnects when it is told to, as every HTTP client.
            try:
                idle.request("GET", "/v2/idle")
                assert idle.getresponse().read()
            except (http.client.RemoteDisconnected, ConnectionError):
                idle.close()
                idle.request("GET", "/v2/idle")
                assert idle.getresponse().read()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    # What it is taught, it is taught anew.
    scope = {"X-Scope": '{"image":"There"}'}
    until(lambda: ask(cloud.url("image"), "/v2/x", scope).json["cloud"] == "There" and cloud.proxy.ways)
    assert cloud.proxy.peers


def test_a_service_that_moves_is_followed_on_open_connections(
    cloud: Fronted, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker that ends answers once more on each connection: not from where a service was."""
    open_since = http.client.HTTPConnection(cloud.url("block-storage").removeprefix("http://"), timeout=10)

    def where() -> tuple[int, str]:
        open_since.request("GET", "/v3/here", headers={"X-Auth-Token": "t"})
        answer = open_since.getresponse()
        return answer.status, json.loads(answer.read())["cloud"]

    assert where() == (200, "CloudOne")
    moved = echo("Moved")
    entry = json.loads(cloud.gateway.file.read_text())["services"]["block-storage"] | {"backend": moved.url}
    try:
        code, told = said(capsys, "apply", file=changed(cloud, "moved.yaml", {"services": {"block-storage": entry}}))
        assert code == 0, told
        assert where() == (200, "Moved")
    finally:
        moved.close()
        open_since.close()
        assert said(capsys, "apply", file=cloud.gateway.file)[0] == 0
    assert ask(cloud.url("block-storage"), "/v3/back").json["cloud"] == "CloudOne"


def test_render_then_apply_puts_it_in_force(cloud: Fronted, capsys: pytest.CaptureFixture[str]) -> None:
    file, worker = changed(cloud, "rendered.yaml", {"timeouts": {"connect": 7}}), cloud.proxy.pid()
    assert said(capsys, "render", file=file)[0] == 0
    assert cloud.proxy.pid() == worker
    code, told = said(capsys, "apply", file=file)
    assert (code, cloud.proxy.pid() != worker) == (0, True), told


def test_a_configuration_that_haproxy_refuses_changes_nothing(
    cloud: Fronted, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = cloud.proxy.pid()
    before = written(cloud)
    broken = cloud.folder / "broken.crt"
    broken.write_text("no certificate")
    document = json.loads(cloud.gateway.file.read_text())
    pair = {"certificate": str(broken), "key": document["peering"]["tls"]["key"]}
    file = changed(cloud, "broken.yaml", {"peering": {"tls": pair}})
    for word in ("check", "apply"):
        code, told = said(capsys, word, file=file)
        assert code == 1
        assert "refuses" in told
        assert cloud.proxy.pid() == worker
    after = written(cloud)
    assert after == before
    assert ask(cloud.url("image"), "/v2/images").status == 200


def test_what_is_missing_is_said(cloud: Fronted, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    document = json.loads(cloud.gateway.file.read_text())
    del document["haproxy"]
    file = cloud.folder / "without.yaml"
    file.write_text(json.dumps(document))
    for word in ("render", "check", "apply"):
        code, told = said(capsys, word, file=file)
        assert code == 1
        assert "haproxy: {gateway: " in told
    alone = changed(cloud, "alone.yaml", {"haproxy": {"directory": str(tmp_path / "h")}})
    code, told = said(capsys, "apply", file=alone)
    assert code == 1
    assert "does not answer" in told
    assert "Traceback" not in told


def test_services_of_one_address_are_told_apart_by_the_longest_path(
    cloud: Fronted, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In whatever order they stand in the configuration, chunked or not, taught or not."""
    other = Fronted("CloudTwo", tmp_path_factory.mktemp("mixed") / "two")
    base = f"http://127.0.0.1:{free_port()}"
    other.frontends |= {"compute": f"{base}/a", "image": base, "network": f"{base}/a/b", "placement": f"{base}/c"}
    backends = {kind: other[kind].url for kind in ("compute", "image", "network", "placement")}
    paths = {"compute": "/a", "image": "", "network": "/a/b", "placement": ""}
    config = other.settings({})
    for kind, backend in backends.items():
        config["services"][kind] = {"frontend": other.frontends[kind], "backend": backend + paths[kind]}
    other.start({}, more={"services": config["services"]})
    try:
        other.ready()
        expected = {
            "/a/x": "compute",
            "/x": "image",
            "/ab": "image",
            "/a/b/x": "network",
            "/a/bc": "compute",
            "/c/x": "placement",
        }
        scope = {"X-Scope": '{"dns":"CloudTwo"}'}
        for headers in ({}, scope, scope):
            for path, kind in expected.items():
                assert ask(base, path, headers).json["service"] == kind, (path, headers)
                answered = _chunked(base, path, headers)
                assert answered == kind, (path, headers)
            if headers:
                until(
                    lambda: {ask(base, path, scope).status for path in expected} == {200} and len(other.proxy.ways) >= 4
                )
    finally:
        other.stop()


def _chunked(base: str, path: str, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=10)
    connection.request("PUT", path, body=iter([b"hello"]), headers=headers | {"X-Auth-Token": "t"}, encode_chunked=True)
    answer: dict[str, str] = json.loads(connection.getresponse().read())
    connection.close()
    return answer["service"]
