"""Big bodies across both gateways: streamed, whole, and harmless to the next request."""

import hashlib
import http.client
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from tests.volume import volume

from openstackoid.lab import Lab

from .conftest import User

SIZE = volume(1 << 30)
PIECE = bytes(range(256)) * 4096  # 1 MiB
TWO = '{"image": "CloudTwo"}'
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def headers(alice: User) -> dict[str, str]:
    return {"X-Auth-Token": alice.token(), "X-Scope": TWO}


def queued(alice: User, headers: dict[str, str]) -> str:
    body = {"name": "big", "disk_format": "raw", "container_format": "bare"}
    answer = requests.post(f"{alice.frontend('image')}/v2/images", json=body, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text
    return f"{alice.frontend('image')}/v2/images/{answer.json()['id']}"


def pieces(size: int, digest: "hashlib._Hash") -> Iterator[bytes]:
    for _ in range(size // len(PIECE)):
        digest.update(PIECE)
        yield PIECE


def resident(lab: Lab, cloud: str) -> int:
    process = lab.process(cloud, "gateway")
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS"))


def test_much_data_up_and_down_stays_in_no_gateway(lab: Lab, alice: User, headers: dict[str, str]) -> None:
    image = queued(alice, headers)
    sent, came = hashlib.sha256(), hashlib.sha256()
    before = {cloud: resident(lab, cloud) for cloud in ("CloudOne", "CloudTwo")}
    most = dict(before)
    answer = requests.put(f"{image}/file", data=pieces(SIZE, sent), headers=headers | RAW, timeout=300)
    assert answer.status_code == 204, answer.text
    most = {cloud: max(most[cloud], resident(lab, cloud)) for cloud in most}
    with requests.get(f"{image}/file", headers=headers, stream=True, timeout=300) as download:
        assert download.headers["Content-Length"] == str(SIZE)
        for count, piece in enumerate(download.iter_content(1 << 20)):
            came.update(piece)
            if count % 64 == 0:
                most = {cloud: max(most[cloud], resident(lab, cloud)) for cloud in most}
    assert came.digest() == sent.digest()
    grown = {cloud: (most[cloud] - before[cloud]) >> 20 for cloud in most}
    assert all(mib < 50 for mib in grown.values()), grown
    assert requests.delete(image, headers=headers, timeout=60).status_code == 204


@pytest.mark.parametrize("text", [TWO, TWO.replace(" ", "")], ids=["by the entry's gateway", "straight there too"])
def test_the_providers_gateway_does_not_carry_the_data(
    alice: User, headers: dict[str, str], audit: Callable[..., list[dict[str, Any]]], text: str
) -> None:
    """After a look at the image, as clients have it, HAProxy alone does."""
    image, asked = queued(alice, headers), headers | {"X-Scope": text}
    assert requests.put(f"{image}/file", data=PIECE, headers=headers | RAW, timeout=60).status_code == 204
    path = urlsplit(f"{image}/file").path
    for _ in range(20):
        assert requests.get(image, headers=asked, timeout=60).status_code == 200
        download = requests.get(f"{image}/file", headers=asked | {"Range": "bytes=256-511"}, timeout=60)
        assert (download.status_code, download.content) == (206, PIECE[:256])
        straight = audit("CloudTwo", path=path, by="haproxy", status=206, home="CloudOne", decision="local")
        if straight:
            break
    whose = ("user", "project", "local_user", "local_project", "agreement")
    (look,) = audit("CloudTwo", path=path.removesuffix("/file"), method="GET", status=200)[-1:]
    assert {key: straight[-1][key] for key in whose} == {key: look[key] for key in whose}
    assert requests.delete(image, headers=headers, timeout=60).status_code == 204


def test_uploads_never_harm_the_next_request(alice: User, headers: dict[str, str]) -> None:
    """Chunked uploads and early answers, then another's request: see `gateway/upstream/sending.py`."""
    for _ in range(volume(8)):
        image = queued(alice, headers)
        first = requests.put(f"{image}/file", data=iter([b"x" * 70_000]), headers=headers | RAW, timeout=60)
        assert first.status_code == 204
        again = requests.put(f"{image}/file", data=iter([b"y" * 300_000] * 3), headers=headers | RAW, timeout=60)
        assert again.status_code == 409
        for _ in range(4):
            shown = requests.get(image, headers=headers, timeout=60)
            assert shown.status_code == 200
            assert shown.json()["size"] == 70_000
        assert requests.delete(image, headers=headers, timeout=60).status_code == 204


def test_the_trap_is_real_without_the_gateway(lab: Lab, alice: User) -> None:
    """The same sequence on one kept-alive connection to glance itself goes wrong: why streamed bodies get their own."""
    backend = urlsplit(lab.clouds["CloudOne"].backend("image"))
    headers = {"X-Auth-Token": alice.token()}
    image = queued(alice, headers).rpartition("/")[2]
    connection = http.client.HTTPConnection(backend.hostname or "", backend.port, timeout=120)
    connection.connect()
    first = connection.sock
    connection.request("PUT", f"/v2/images/{image}/file", iter([b"x" * 70_000]), headers | RAW, encode_chunked=True)
    connection.getresponse().read()
    outcomes = []
    for _ in range(3):
        if connection.sock is not first:
            outcomes.append("closed")
            break
        try:
            connection.request("GET", f"/v2/images/{image}", headers=headers)
            answer = connection.getresponse()
            answer.read()
            outcomes.append(str(answer.status))
        except (http.client.HTTPException, OSError):
            outcomes.append("broken")
            break
    assert outcomes != ["200", "200", "200"], "the trap is gone: streamed bodies could share connections"
    requests.delete(f"{alice.frontend('image')}/v2/images/{image}", headers=headers, timeout=60)


def test_expect_100_continue(alice: User, headers: dict[str, str]) -> None:
    image = queued(alice, headers)
    where = urlsplit(alice.frontend("image"))
    with socket.create_connection((where.hostname, where.port), timeout=120) as client:
        lines = [
            f"PUT {urlsplit(image).path}/file HTTP/1.1",
            f"Host: {where.netloc}",
            "Content-Type: application/octet-stream",
            "Content-Length: 100000",
            "Expect: 100-continue",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"z" * 100_000)
        assert client.recv(4096).startswith(b"HTTP/1.1 204 ")
    assert requests.get(image, headers=headers, timeout=60).json()["size"] == 100_000
    requests.delete(image, headers=headers, timeout=60)
