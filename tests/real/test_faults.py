"""A peer that is stopped, killed, cut; a gateway killed in the middle of an upload. All heal without a restart of anything else."""

import signal
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import requests

from openstackoid.lab import Lab

from .conftest import User
from .tools import part, reconfigure, until

Rows = Callable[[str, str, str], set[str]]
IDLE = 10  # seconds: the first request to a gateway that has just started takes long on a busy machine
SIZE = 64 << 20
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module", autouse=True)
def impatient(lab: Lab) -> Iterator[None]:
    """CloudOne's gateway does not wait for a minute, as by default; read again without a restart."""
    reconfigure(lab, "CloudOne", lambda config: config.update({"timeouts": {"idle": IDLE}}))
    yield
    lab.up()


@pytest.fixture(scope="module")
def token(alice: User) -> str:
    return alice.token()


def images(alice: User, token: str, scope: str | None) -> requests.Response:
    headers = {"X-Auth-Token": token} | ({"X-Scope": scope} if scope else {})
    return requests.get(f"{alice.frontend('image')}/v2/images", headers=headers, timeout=60)


TWO = '{"image": "CloudTwo"}'


def test_a_stopped_peer(lab: Lab, alice: User, token: str) -> None:
    part(lab, "CloudTwo").signal(signal.SIGSTOP)
    try:
        answer = images(alice, token, TWO)
        assert answer.status_code == 504
        assert answer.json()["error"]["openstackoid_code"] == "peer.timeout"
        assert "CloudTwo" in answer.json()["error"]["message"]
        assert images(alice, token, None).status_code == 200
    finally:
        part(lab, "CloudTwo").signal(signal.SIGCONT)
    until(lambda: images(alice, token, TWO).status_code == 200)


def test_a_killed_peer(lab: Lab, alice: User, token: str) -> None:
    part(lab, "CloudTwo").signal(signal.SIGKILL)
    until(lambda: lab.process("CloudTwo", "gateway") is None)
    answer = images(alice, token, TWO)
    assert answer.status_code == 502
    # Its HAProxy, if it has one, lives and says it.
    assert answer.json()["error"]["openstackoid_code"] == (
        "backend.unreachable" if fronted(lab) else "peer.unreachable"
    )
    assert "CloudTwo" in answer.json()["error"]["message"]
    assert images(alice, token, None).status_code == 200
    done = alice.run("openstack image list --os-scope image=CloudTwo")
    assert done.returncode == 1
    assert ("CloudTwo's gateway does not answer" if fronted(lab) else "CloudTwo cannot be reached") in done.stderr
    revive(lab, alice, token)


def fronted(lab: Lab) -> bool:
    return lab.process("CloudTwo", "haproxy") is not None


def revive(lab: Lab, alice: User, token: str) -> None:
    """Start the killed gateway, with CloudOne's configuration left as this module made it, and wait until it serves other clouds' users."""
    for cloud in lab.clouds.values():
        if lab.process(cloud.name, "gateway") is None:
            lab.start_gateway(cloud)
            until(lambda cloud=cloud: lab.answers(cloud, "gateway", 1))  # type: ignore[misc]
    until(lambda: images(alice, token, TWO).status_code == 200)


@pytest.fixture
def image(lab: Lab, alice: User, token: str) -> Iterator[str]:
    """The URL of an image of CloudTwo without data; deleted in the end, whatever came of the test."""
    headers = {"X-Auth-Token": token, "X-Scope": TWO}
    body = {"name": "cut", "disk_format": "raw", "container_format": "bare"}
    answer = requests.post(f"{alice.frontend('image')}/v2/images", json=body, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text
    url = f"{alice.frontend('image')}/v2/images/{answer.json()['id']}"
    yield url
    revive(lab, alice, token)
    until(lambda: requests.delete(url, headers=headers, timeout=60).status_code in {204, 404})


def test_a_peer_cut_in_the_middle_of_a_download(lab: Lab, alice: User, token: str, image: str) -> None:
    headers = {"X-Auth-Token": token, "X-Scope": TWO}
    answer = requests.put(f"{image}/file", data=bytes(SIZE), headers=headers | RAW, timeout=60)
    assert answer.status_code == 204, answer.text
    # With a header that its door does not know to be harmless: data that HAProxy hands out itself would not be cut with the gateway.
    odd = headers | {"Accept-Charset": "utf-8"}
    with requests.get(f"{image}/file", headers=odd, stream=True, timeout=60) as download:
        assert len(download.raw.read(1 << 16)) == 1 << 16
        part(lab, "CloudTwo").signal(signal.SIGKILL)
        with pytest.raises((requests.exceptions.RequestException, Exception), match=r"(?i)incomplete|reset|broken"):
            for _ in download.iter_content(1 << 20):
                pass
    assert images(alice, token, None).status_code == 200


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_gateway_killed_in_the_middle_of_an_upload(
    lab: Lab, alice: User, token: str, rows: Rows, image: str, framing: str
) -> None:
    """Its peer's glance must not take what came for all: no image ends up active and short."""
    headers = {"X-Auth-Token": token, "X-Scope": TWO}
    where = urlsplit(alice.frontend("image"))
    length = "Transfer-Encoding: chunked" if framing == "chunked" else f"Content-Length: {SIZE}"
    lines = [
        f"PUT {urlsplit(image).path}/file HTTP/1.1",
        f"Host: {where.netloc}",
        "Content-Type: application/octet-stream",
        length,
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    identity = image.rpartition("/")[2]
    status = f"select status from images where id = '{identity}'"
    with socket.create_connection((where.hostname, where.port), timeout=120) as client:
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        piece = bytes(1 << 20)
        for _ in range(8):
            client.sendall(b"100000\r\n" + piece + b"\r\n" if framing == "chunked" else piece)
        until(lambda: rows("CloudTwo", "glance", status) == {"saving"})
        part(lab, "CloudOne").signal(signal.SIGKILL)
        until(lambda: lab.process("CloudOne", "gateway") is None)
    until(lambda: rows("CloudTwo", "glance", status) != {"saving"})
    assert rows("CloudTwo", "glance", status) <= {"queued", "killed"}
    revive(lab, alice, token)
    shown = requests.get(image, headers=headers, timeout=60).json()
    assert shown["status"] != "active"
    again = requests.put(f"{image}/file", data=b"whole", headers=headers | RAW, timeout=60)
    assert again.status_code == 204
    assert requests.get(image, headers=headers, timeout=60).json()["size"] == len(b"whole")


def test_a_wrong_configuration_is_not_taken(lab: Lab, alice: User, token: str) -> None:
    path = lab.clouds["CloudOne"].gateway_config
    good, log = path.read_text(), lab.clouds["CloudOne"].log("gateway")
    path.write_text(good.replace("backend: http", "backend: nonsense", 1))
    try:
        part(lab, "CloudOne").signal(signal.SIGHUP)
        until(lambda: "kept the old configuration" in log.read_text())
        assert images(alice, token, TWO).status_code == 200
    finally:
        path.write_text(good)
