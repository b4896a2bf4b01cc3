"""Configuration, signals, workers, metrics: what operators see."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import World
from tests.gateway.wire import TOKEN, Answer, Cloud, Gateway, Seen, ask, reply, scope, until

from openstackoid.cli import main
from openstackoid.core.errors import ConfigError
from openstackoid.gateway.settings.loading import load

GOOD: dict[str, Any] = {
    "cloud": "CloudOne",
    "services": {"image": {"frontend": "http://127.0.0.1:9292", "backend": "http://127.0.0.1:19292"}},
}
IMAGE = GOOD["services"]["image"]


def services(**more: Any) -> dict[str, Any]:
    return GOOD | {"services": {"image": IMAGE} | more}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], ["list"]),
        ({}, ["cloud", "services"]),
        (GOOD | {"cloud": "a b"}, ["cloud: ", "'a b'"]),
        (GOOD | {"clouds": 1}, ["clouds: ", "1"]),
        (GOOD | {"services": {}}, ["services: "]),
        (services(**{"im age": IMAGE}), ["services.im age: "]),
        (services(glance=IMAGE), ["services.glance", "9292"]),
        (services(image=IMAGE | {"endpoint": "nonsense"}), ["services.image.endpoint: ", "nonsense"]),
        (services(images={"frontend": "ftp://x", "backend": "http://b"}), ["services.images.frontend: ", "ftp://x"]),
        (
            services(volumev3={"frontend": "http://x/a?b", "backend": "http://b"}),
            ["services.volumev3.frontend: ", "?b"],
        ),
        (services(compute={"frontend": "http://127.0.0.1:8774"}), ["services.compute.backend: ", "catalog"]),
        (
            services(compute={"frontend": "http://127.0.0.1:1", "backend": "http://127.0.0.1:1/"}),
            ["services.compute.backend: http://127.0.0.1:1 ", "loop"],
        ),
        (
            services(
                volume=IMAGE | {"frontend": "http://127.0.0.1:2"}, volumev3=IMAGE | {"frontend": "http://127.0.0.1:3"}
            ),
            ["services.volumev3: ", "volume "],
        ),
        (services(compute=IMAGE), ["services.compute.frontend: http://127.0.0.1:9292 ", "image"]),
        (services(compute=IMAGE | {"frontend": "https://127.0.0.1:4"}), ["services.compute.frontend: ", "tls"]),
        (services(compute=IMAGE | {"listen": "8774"}), ["services.compute.listen: ", "ADDRESS:PORT", "'8774'"]),
        (GOOD | {"peers": {"CloudOne": {"url": "http://x"}}}, ["peers.CloudOne: "]),
        (GOOD | {"peers": {"a b": {"url": "http://x"}}}, ["peers.a b"]),
        (GOOD | {"peers": {"CloudTwo": {"url": "x"}}}, ["peers.CloudTwo.url: ", "'x'"]),
        (GOOD | {"peers": {"CloudTwo": {"url": "http://x", "token": "mine"}}}, ["peers.CloudTwo.token: ", "'mine'"]),
        (
            GOOD | {"peers": {"CloudTwo": {"url": "http://x", "services": {"?": "http://x"}}}},
            ["peers.CloudTwo.services"],
        ),
        (GOOD | {"scopes": {"a": {"image": "Cloud Two"}}}, ["scopes.a: ", "Malformed scope"]),
        (GOOD | {"scopes": {"a": "CloudTwo"}}, ["scopes.a: ", "'CloudTwo'"]),
        (GOOD | {"timeouts": {"idle": 0}}, ["timeouts.idle: ", "0"]),
        (GOOD | {"timeouts": {"idle": "long"}}, ["timeouts.idle: ", "'long'"]),
        (GOOD | {"admin": {"listen": "x:99999"}}, ["admin.listen: ", "'x:99999'"]),
        (GOOD | {"tls": {"certificate": "no.crt", "key": "no.key"}}, ["tls.certificate: ", "no.crt"]),
        (GOOD | {"ca": "no-ca.crt"}, ["ca: ", "no-ca.crt"]),
    ],
)
def test_a_wrong_configuration_is_told_with_file_key_and_value(
    tmp_path: Path, document: object, words: list[str]
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigError) as error:
        load(file)
    assert [word for word in (str(file), *words) if word not in str(error.value)] == []


def test_what_is_no_configuration(tmp_path: Path) -> None:
    for name, text, word in (
        ("none", None, "No such file"),
        ("bad", "a: [", "not YAML"),
        ("bytes", "\udcff", "not YAML"),
    ):
        file = tmp_path / name
        if text is not None:
            file.write_text(text, errors="surrogateescape")
        with pytest.raises(ConfigError, match=word) as error:
            load(file)
        assert str(file) in str(error.value)


def test_check_says_what_would_be_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "good.yaml"
    peer = {"url": "http://10.0.0.2:5000", "token": "pass-through"}
    more = {"peers": {"CloudTwo": peer}, "scopes": {"there": {"image": "CloudTwo"}}}
    file.write_text(json.dumps(GOOD | more))
    assert main(["gateway", "check", "--config", str(file)]) == 0
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["cloud", "CloudOne,", "region", "RegionOne"] in told
    assert ["image", "http://127.0.0.1:9292", "127.0.0.1:9292", "http://127.0.0.1:19292"] in told
    assert ["CloudTwo", "http://10.0.0.2:5000", "pass-through", "(asked", "for)"] in told
    assert ["there", '{"image":"CloudTwo"}'] in told
    file.write_text(json.dumps(GOOD | {"cloud": "?"}))
    assert main(["gateway", "check", "--config", str(file)]) == 1
    assert f"{file}: cloud: " in capsys.readouterr().err


def test_sighup_reads_the_configuration_again_and_sigterm_finishes_what_runs(world: World) -> None:
    gateway, cloud, url = world.three, world.cloud_three, world.three.url("image")
    assert ask(url, "/scope/new/v2").code == "scope.unknown"

    gateway.write(gateway.config | {"scopes": {"new": {"image": "CloudTwo"}}})
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: "read the configuration again" in gateway.said)
    assert ask(url, "/scope/new/v2/images").json["cloud"] == "CloudTwo"

    gateway.write(gateway.config | {"cloud": "a b"})
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: "kept the old configuration" in gateway.said)
    assert str(gateway.file) in gateway.said
    assert ask(url, "/scope/new/v2/images").json["cloud"] == "CloudTwo"

    taken = world.one.url("image").removeprefix("http://")
    gateway.write(gateway.config | {"admin": {"listen": taken}})
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: f"cannot listen at {taken}: " in gateway.said)
    assert ask(url, "/scope/new/v2/images").json["cloud"] == "CloudTwo"

    go = threading.Event()

    def slow(_: Seen, __: object) -> bytes:
        assert go.wait(60)
        return reply(200, {"finished": True})

    cloud["image"].on("/v2/slow", slow)
    answers: list[Answer] = []
    client = threading.Thread(target=lambda: answers.append(ask(url, "/v2/slow")))
    client.start()
    cloud["image"].seen("/v2/slow")
    gateway.process.send_signal(signal.SIGTERM)

    def refused() -> bool:
        try:
            ask(url, "/v2/too-late")
        except OSError:
            return True
        return False

    until(refused)
    assert gateway.process.poll() is None
    go.set()
    client.join(60)
    assert answers[0].json == {"finished": True}
    assert gateway.process.wait(60) == 0
    assert gateway.line("/v2/slow")["status"] == 200


def test_a_port_in_use_is_named(world: World, tmp_path: Path) -> None:
    cloud = Cloud("CloudFour", paths=False)
    taken = world.one.url("image")
    config = cloud.config()
    config["services"]["image"]["frontend"] = taken
    gateway = Gateway(tmp_path, config)
    assert gateway.process.wait(60) == 1
    assert f"{gateway.file}: cannot listen at {taken.removeprefix('http://')}: Address already in use" in gateway.said
    cloud.close()


def test_workers_serve_and_are_replaced(world: World) -> None:
    gateway = world.many

    def workers() -> list[int]:
        told = subprocess.run(["pgrep", "-P", str(gateway.process.pid)], capture_output=True, text=True, check=False)
        return [int(line) for line in told.stdout.split()]

    before = workers()
    assert len(before) == 2
    for number in range(20):
        assert ask(gateway.url("image"), f"/v2/many-{number}").status == 200
    text = ask(gateway.admin, "/metrics").body.decode()
    assert counted(text, "image", "local", "CloudMany", "2xx") == 20
    os.kill(before[0], signal.SIGKILL)
    until(lambda: f"worker {before[0]} ended with -9" in gateway.said)
    assert ask(gateway.url("image"), "/v2/the-other-one").status == 200
    until(lambda: gateway.said.count("serving at") == 3)
    assert len(workers()) == 2


def counted(text: str, service: str, decision: str, cloud: str, status: str) -> float:
    labels = f'cloud="{cloud}",decision="{decision}",service="{service}",status="{status}"'
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    lines = {
        ",".join(sorted(key.partition("{")[2].rstrip("}").split(","))) + key.partition("{")[0]: value
        for key, value in lines.items()
    }
    return float(lines.get(labels + "openstackoid_request_seconds_count", 0))


def test_health_and_metrics(world: World) -> None:
    admin = world.one.admin
    health = ask(admin, "/healthz").json
    assert (health["status"], health["cloud"]) == ("ok", "CloudOne")
    assert {peer["name"] for peer in health["peers"]} == set(world.one.config["peers"])
    assert health["parts"]["loops"] == {"status": "ok", "detail": None}
    assert [ask(admin, path).status for path in ("/livez", "/readyz")] == [200, 200]
    before = counted(ask(admin, "/metrics").body.decode(), "image", "remote", "CloudTwo", "2xx")
    assert ask(world.one.url("image"), "/v2/counted", scope(image="CloudTwo")).status == 200
    ask(world.one.url("image"), "/v2/counted", {"X-Scope": "?"})

    def text() -> str:
        return ask(admin, "/metrics").body.decode()

    until(lambda: counted(text(), "image", "remote", "CloudTwo", "2xx") == before + 1)
    assert 'openstackoid_peer_up{peer="CloudTwo"} 1.0' in text()
    until(lambda: 'openstackoid_peer_up{peer="Dead"} 0.0' in text())
    assert 'openstackoid_errors_total{code="scope.malformed"}' in text()
    assert ask(admin, "/v2/images").status == 404
    assert ask(world.one.url("image"), "/metrics").json["service"] == "image"  # a path of the backend's, here


def test_what_a_request_invents_is_no_label(world: World) -> None:
    admin, image, identity = world.one.admin, world.one.url("image"), world.one.url("identity")

    def series() -> set[str]:
        text = ask(admin, "/metrics", token=None).body.decode()
        return {line.rpartition(" ")[0] for line in text.splitlines() if "openstackoid_" in line}

    def invent(number: int) -> None:
        token = f"{TOKEN}!SCOPE!" + json.dumps({"image": f"Token{number}"})
        for headers in (
            scope(image=f"Invented{number}"),
            scope(image=f"A{number} & CloudTwo"),
            {"X-Auth-Token": token},
        ):
            ask(image, f"/v2/invented-{number}", headers, method="GET")
        ask(image, f"/v2/{number}", scope(**{f"kind{number}": "CloudTwo"}))
        ask(image, f"/scope/saved-{number}/v2/images")
        ask(identity, f"/scope/images-elsewhere/kind-{number}/v3", method=f"M{number}")
        ask(image, f"/openstackoid/v1/invented-{number}")

    invent(0)
    world.one.line("/openstackoid/v1/invented-0")  # all before it are counted
    before = series()
    for number in range(1, 30):
        invent(number)
    world.one.line("/openstackoid/v1/invented-29")
    assert {name for name in series() - before if "_bucket" not in name} == set()


def test_durations_are_finer_than_a_millisecond(world: World) -> None:
    for number in range(8):
        ask(world.one.url("image"), f"/v2/fine-{number}")
    durations = [world.one.line(f"/v2/fine-{number}")["ms"] for number in range(8)]
    assert [duration for duration in durations if duration % 1]


def test_no_line_of_audit_is_lost_or_doubled(world: World) -> None:
    threads = [
        threading.Thread(target=ask, args=(world.one.url("compute"), f"/v2.1/line-{number}")) for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: sum("/v2.1/line-" in line["path"] for line in world.one.lines()) == 20)
