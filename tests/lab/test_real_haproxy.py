"""HAProxy before the gateways of a lab, on real clouds: it starts, learns and heals."""

import signal
import urllib.request
import uuid

import pytest
from tests.lab.looking import IMAGES, THERE, gone, images, login, pids, until, worker

from openstackoid.lab import Cloud, Lab, haproxy
from openstackoid.lab.processes import Health

pytestmark = pytest.mark.real


def test_it_is_a_part_of_each_cloud(lab: Lab) -> None:
    rows = [row for row in lab.status() if row.service == "haproxy"]
    assert [(row.cloud, row.address, row.state) for row in rows] == [
        ("Alpha", "127.0.51.2", Health.RUNNING),
        ("Beta", "127.0.52.2", Health.RUNNING),
    ]
    assert all(row.memory > 0 for row in rows)
    assert all(lab.process(name, "haproxy") for name in lab.clouds)
    assert all(cloud.haproxy.stat().st_mode & 0o777 == 0o700 for cloud in lab.clouds.values())


def test_what_is_like_a_request_before_does_not_come_to_the_gateway(lab: Lab) -> None:
    cloud, token = lab.clouds["Alpha"], login(lab, "Alpha")
    until(lambda: "cirros-beta" in images(cloud, token, THERE))
    # Agreements may have come into force just before: what was taught until then is forgotten.
    until(lambda: _learned(cloud, token))
    assert "cirros-beta" not in images(cloud, token, None)
    mark = f"req-{uuid.uuid4()}"
    assert "cirros-alpha" in images(cloud, token, None, mark)
    assert not _came(cloud, token, mark)


def _learned(cloud: Cloud, token: str) -> bool:
    """Whether image data of the other cloud passes the gateway by."""
    path, mark = f"{IMAGES}/{images(cloud, token, THERE)['cirros-beta']}/file", f"req-{uuid.uuid4()}"
    headers = {"X-Auth-Token": token, "X-Scope": THERE, "X-Openstack-Request-Id": mark}
    request = urllib.request.Request(cloud.frontend("image") + path, headers=headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert len(answer.read()) > 0
    return not _came(cloud, token, mark)


def _came(cloud: Cloud, token: str, mark: str) -> bool:
    """Whether a request that was answered has come to the gateway: a line is written after the answer, so the next one's is waited for."""
    after = f"req-{uuid.uuid4()}"
    images(cloud, token, THERE, after)  # lists of another cloud always come
    until(lambda: after in cloud.audit.read_text())
    return mark in cloud.audit.read_text()


def test_a_token_of_nobody_is_refused_on_a_way_that_is_known(lab: Lab) -> None:
    cloud, token = lab.clouds["Alpha"], login(lab, "Alpha")
    until(lambda: _learned(cloud, token))
    assert images(cloud, "of-nobody", THERE) == {}


def test_no_worker_outlives_its_master(lab: Lab) -> None:
    cloud, before = lab.clouds["Alpha"], pids(lab)
    family = haproxy.family(cloud)
    assert len(family) == 2
    family[0].signal(signal.SIGKILL)
    until(lambda: gone(family))
    assert lab.up() is True
    after = pids(lab)
    assert {key for key in after if after[key] != before[key]} == {("Alpha", "haproxy")}
    assert "cirros-beta" in images(cloud, login(lab, "Alpha"), THERE)


def test_a_worker_that_is_stopped_is_ended_and_another_started(lab: Lab) -> None:
    cloud = lab.clouds["Alpha"]
    stopped = worker(cloud)
    stopped.signal(signal.SIGSTOP)
    until(lambda: [row.service for row in lab.status(3) if row.state is Health.STUCK] == ["haproxy"])
    lines: list[str] = []
    assert lab.up(lines.append) is True
    assert any("Alpha haproxy did not answer" in line for line in lines)
    assert gone([stopped])
    assert "cirros-alpha" in images(cloud, login(lab, "Alpha"), None)


def test_a_stopped_worker_of_a_killed_master_is_in_nobodys_way(lab: Lab) -> None:
    cloud = lab.clouds["Beta"]
    family = haproxy.family(cloud)
    family[1].signal(signal.SIGSTOP)
    family[0].signal(signal.SIGKILL)
    until(lambda: gone(family[:1]))
    assert not gone(family)
    assert lab.up() is True
    assert gone(family)
    assert "cirros-beta" in images(cloud, login(lab, "Beta"), None)


def test_a_gateway_that_is_down_leaves_what_has_no_scope_alone(lab: Lab) -> None:
    cloud, token = lab.clouds["Alpha"], login(lab, "Alpha")
    process = lab.process("Alpha", "gateway")
    assert process
    process.signal(signal.SIGKILL)
    until(lambda: not process.alive)
    assert "cirros-alpha" in images(cloud, token, None)
    assert [row.service for row in lab.status() if row.state is not Health.RUNNING] == ["gateway"]
    assert lab.up() is True
    until(lambda: "cirros-beta" in images(cloud, token, THERE))


def test_a_new_certificate_is_shown_without_a_restart(lab: Lab) -> None:
    cloud, before = lab.clouds["Beta"], pids(lab)
    old = (cloud.haproxy / "peering.pem").read_bytes()
    cloud.certificate.unlink()
    assert lab.up() is False
    assert (cloud.haproxy / "peering.pem").read_bytes() != old
    assert pids(lab) == before
    left = lab.clouds["Alpha"]
    token = login(lab, "Alpha")
    until(lambda: "cirros-beta" in images(left, token, THERE))
