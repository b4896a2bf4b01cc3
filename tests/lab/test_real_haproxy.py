"""HAProxy before the gateways of a lab, on real clouds: it starts, learns, heals, hears of new peers, and can be left out."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from openstackoid.lab import Cloud, Lab, haproxy
from openstackoid.lab.processes import Health, Process, converses, stat

pytestmark = pytest.mark.real

# As our clients write it; with spaces, it would go through the gateway always.
THERE = '{"image":"Right"}'
IMAGES = "/v2/images"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    # A deep folder: sockets cannot have so long a path.
    made = Lab(tmp_path_factory.mktemp("lab") / ("deep" * 15), ["Left", "Right"], "127.0.81.0")
    folders = [cloud.haproxy for cloud in made.clouds.values()]
    try:
        made.up(print)
        yield made
    finally:
        # As it is by then: a test has added a cloud.
        Lab(made.directory).reset()
    assert not any(folder.exists() for folder in [made.directory, *folders])


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.1)


def login(lab: Lab, name: str) -> str:
    auth = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"][name]["auth"]
    domain = {"domain": {"name": "Default"}}
    user = {"name": auth["username"], "password": auth["password"], **domain}
    methods = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": methods, "scope": {"project": {"name": auth["project_name"], **domain}}}}
    request = urllib.request.Request(f"{auth['auth_url']}/auth/tokens", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.headers["X-Subject-Token"])


def images(cloud: Cloud, token: str, scope: str | None) -> dict[str, str]:
    """Names and ids of the images that are seen; none where the request is refused."""
    request = urllib.request.Request(cloud.frontend("image") + IMAGES, headers={"X-Auth-Token": token})
    if scope:
        request.add_header("X-Scope", scope)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return {image["name"]: image["id"] for image in json.load(answer)["images"]}
    except urllib.error.HTTPError as refused:
        refused.close()
        return {}


def known(cloud: Cloud, name: str) -> dict[str, str]:
    """What a map of a running HAProxy holds."""
    lines = converses(cloud.haproxy_admin, f"show map {cloud.haproxy / name}", 5).splitlines()
    return {fields[1]: fields[2] for line in lines if len(fields := line.split(" ", 2)) == 3}


def seen(cloud: Cloud, path: str = IMAGES) -> list[Any]:
    """What the gateway of a cloud has seen of requests for images."""
    told = [json.loads(line) for line in cloud.audit.read_text().splitlines()]
    return [line["peer"] for line in told if line["path"] == path]


def pids(lab: Lab) -> dict[tuple[str, str], int | None]:
    return {(row.cloud, row.service): row.pid for row in lab.status()}


def worker(cloud: Cloud) -> Process:
    # One that a reload replaced ends when its connections have.
    until(lambda: len(haproxy.family(cloud)) == 2)
    (found,) = haproxy.family(cloud)[1:]
    return found


def gone(processes: Sequence[Process]) -> bool:
    return not any(process.alive for process in processes)


def test_it_is_a_part_of_each_cloud(lab: Lab) -> None:
    rows = [row for row in lab.status() if row.service == "haproxy"]
    assert [(row.cloud, row.address, row.state) for row in rows] == [
        ("Left", "127.0.81.2", Health.RUNNING),
        ("Right", "127.0.82.2", Health.RUNNING),
    ]
    assert all(row.memory > 0 for row in rows)
    assert all(lab.process(name, "haproxy") for name in lab.clouds)
    assert all(cloud.haproxy.stat().st_mode & 0o777 == 0o700 for cloud in lab.clouds.values())


def test_what_is_like_a_request_before_does_not_come_to_the_gateway(lab: Lab) -> None:
    cloud, token = lab.clouds["Left"], login(lab, "Left")
    until(lambda: "cirros-right" in images(cloud, token, THERE))
    # Agreements may have come into force just before: what was taught until then is forgotten.
    until(lambda: _learned(cloud, token))
    assert "cirros-right" not in images(cloud, token, None)
    before = seen(cloud)
    assert "cirros-left" in images(cloud, token, None)
    assert seen(cloud) == before


def _learned(cloud: Cloud, token: str) -> bool:
    """Whether image data of the other cloud passed the gateway by, and the list of its images did not."""
    before = len(seen(cloud))
    path = f"{IMAGES}/{images(cloud, token, THERE)['cirros-right']}/file"
    until(lambda: len(seen(cloud)) == before + 1)  # it is written after the answer
    request = urllib.request.Request(cloud.frontend("image") + path, headers={"X-Auth-Token": token, "X-Scope": THERE})
    before = len(seen(cloud, path))
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert len(answer.read()) > 0
    return len(seen(cloud, path)) == before


def test_a_token_of_nobody_is_refused_on_a_way_that_is_known(lab: Lab) -> None:
    cloud, token = lab.clouds["Left"], login(lab, "Left")
    until(lambda: _learned(cloud, token))
    assert images(cloud, "of-nobody", THERE) == {}


def test_no_worker_outlives_its_master(lab: Lab) -> None:
    cloud, before = lab.clouds["Left"], pids(lab)
    family = haproxy.family(cloud)
    assert len(family) == 2
    family[0].signal(signal.SIGKILL)
    until(lambda: gone(family))
    assert lab.up() is True
    after = pids(lab)
    assert {key for key in after if after[key] != before[key]} == {("Left", "haproxy")}
    assert "cirros-right" in images(cloud, login(lab, "Left"), THERE)


def test_a_worker_that_is_stopped_is_ended_and_another_started(lab: Lab) -> None:
    cloud = lab.clouds["Left"]
    stopped = worker(cloud)
    stopped.signal(signal.SIGSTOP)
    assert [row.service for row in lab.status(0.3) if row.state is Health.STUCK] == ["haproxy"]
    lines: list[str] = []
    assert lab.up(lines.append) is True
    assert any("Left haproxy did not answer" in line for line in lines)
    assert gone([stopped])
    assert "cirros-left" in images(cloud, login(lab, "Left"), None)


def test_a_stopped_worker_of_a_killed_master_is_in_nobodys_way(lab: Lab) -> None:
    cloud = lab.clouds["Right"]
    family = haproxy.family(cloud)
    family[1].signal(signal.SIGSTOP)
    family[0].signal(signal.SIGKILL)
    until(lambda: gone(family[:1]))
    assert not gone(family)
    assert lab.up() is True
    assert gone(family)
    assert "cirros-right" in images(cloud, login(lab, "Right"), None)


def test_a_gateway_that_is_down_leaves_what_has_no_scope_alone(lab: Lab) -> None:
    cloud, token = lab.clouds["Left"], login(lab, "Left")
    process = lab.process("Left", "gateway")
    assert process
    process.signal(signal.SIGKILL)
    until(lambda: not process.alive)
    assert "cirros-left" in images(cloud, token, None)
    assert [row.service for row in lab.status() if row.state is not Health.RUNNING] == ["gateway"]
    assert lab.up() is True
    until(lambda: "cirros-right" in images(cloud, token, THERE))


def test_a_new_certificate_is_shown_without_a_restart(lab: Lab) -> None:
    cloud, before = lab.clouds["Right"], pids(lab)
    old = (cloud.haproxy / "peering.pem").read_bytes()
    cloud.certificate.unlink()
    assert lab.up() is False
    assert (cloud.haproxy / "peering.pem").read_bytes() != old
    assert pids(lab) == before
    left = lab.clouds["Left"]
    token = login(lab, "Left")
    until(lambda: "cirros-right" in images(left, token, THERE))


def test_a_new_peer_is_known_without_a_restart(lab: Lab) -> None:
    before, workers = pids(lab), {name: worker(cloud) for name, cloud in lab.clouds.items()}
    more = Lab(lab.directory, ["New"])
    assert more.up(print) is True
    after = pids(more)
    assert {key: after[key] for key in before} == before
    assert {name: worker(more.clouds[name]) for name in workers} == workers
    for cloud in lab.clouds.values():
        until(lambda: "|127.0.83.2|8443|" in known(cloud, "peers.map").get("New|image", ""))  # noqa: B023
    token = login(more, "Left")
    scope = '{"image":"New"}'
    until(lambda: "cirros-new" in images(more.clouds["Left"], token, scope))
    until(lambda: any(key.endswith(f"|file|{scope}") for key in known(more.clouds["Left"], "tokens.map")))


def test_down_leaves_nothing_running(lab: Lab) -> None:
    made = Lab(lab.directory)
    assert all(worker(cloud).alive for cloud in made.clouds.values())
    every = [process for cloud in made.clouds.values() for process in haproxy.family(cloud)]
    assert made.down() == 7 * len(made.clouds)
    assert gone(every)
    assert all(stat(process.pid) is None or not process.alive for process in every)


def test_a_lab_with_gateways_only(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "openstackoid", "lab", "up", "--gateway-only", "--cloud", "Alone"]
    line += ["--dir", str(tmp_path / "lab"), "--address", "127.0.86.0"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lab = Lab(tmp_path / "lab")
        cloud = lab.clouds["Alone"]
        assert [row.service for row in lab.status() if row.service in {"gateway", "haproxy"}] == ["gateway"]
        assert lab.status()[0].address == cloud.frontend_host == cloud.gateway_host
        assert "cirros-alone" in images(cloud, login(lab, "Alone"), None)
        assert seen(cloud) == ["Alone"]
        refused = subprocess.run([*line, "--no-gateway"], capture_output=True, text=True, check=False)
        assert "not allowed with" in refused.stderr
    finally:
        Lab(tmp_path / "lab").reset()
