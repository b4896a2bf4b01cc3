"""A gateway as DevStack has its services: one port, a path a service, TLS, and backends from the cloud's own catalog."""

import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import trustme
import yaml

from openstackoid.lab import Lab

from .conftest import User

HOST, PORT = "127.0.109.2", 8443
KINDS = ("identity", "image", "compute", "network", "placement")


@dataclass(frozen=True)
class Front:
    """The gateway's process, its base URL, its configuration, and who signed its certificate."""

    process: "subprocess.Popen[bytes]"
    base: str
    config: Path
    certificate: Path


def certify(folder: Path) -> None:
    """A new key with a certificate for HOST, and who signed it."""
    authority = trustme.CA()
    issued = authority.issue_cert(HOST)
    authority.cert_pem.write_to_path(folder / "ca.crt")
    issued.cert_chain_pems[0].write_to_path(folder / "gateway.crt")
    issued.private_key_pem.write_to_path(folder / "gateway.key")


@pytest.fixture(scope="module")
def front(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    certify(folder)
    user, password = next(iter(lab.secrets("CloudOne").services.items()))
    (folder / "password").write_text(password)
    base = f"https://{HOST}:{PORT}"
    config = {
        "cloud": "CloudOne",
        "services": {kind: {"frontend": f"{base}/{kind}"} for kind in KINDS},
        "catalog": {
            "auth_url": lab.clouds["CloudOne"].auth_url,
            "username": user,
            "password_file": "password",
            "project_name": "service",
            "interface": "internal",
        },
        "tls": {"certificate": "gateway.crt", "key": "gateway.key"},
        "audit": "audit.jsonl",
    }
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(config))
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "openstackoid", "gateway", "--config", str(path)], stdout=out, stderr=out
        )
    try:
        wait_for(lambda: "serving at" in log.read_text())
        yield Front(process, base, path, folder / "ca.crt")
    finally:
        process.terminate()
        assert process.wait(120) == 0, log.read_text()


def wait_for(done: object) -> None:
    deadline = time.monotonic() + 180
    while not done():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_links_lead_back_to_the_path(front: Front) -> None:
    versions = requests.get(f"{front.base}/image/", verify=str(front.certificate), timeout=120).json()["versions"]
    assert {link["href"].partition("/v2")[0] for version in versions for link in version["links"]} == {
        f"{front.base}/image"
    }


def test_services_are_found_in_the_catalog(front: Front, alice: User) -> None:
    headers = {"X-Auth-Token": alice.token()}
    for path, key in (
        ("image/v2/images", "images"),
        ("compute/v2.1/flavors", "flavors"),
        ("network/v2.0/networks", "networks"),
    ):
        answer = requests.get(f"{front.base}/{path}", headers=headers, verify=str(front.certificate), timeout=120)
        assert answer.status_code == 200, answer.text
        assert answer.json()[key]


def test_a_saved_scope_is_unknown_here(front: Front) -> None:
    answer = requests.get(f"{front.base}/scope/none/image/v2/images", verify=str(front.certificate), timeout=120)
    assert answer.status_code == 404
    assert answer.json()["error"]["openstackoid_code"] == "scope.unknown"


def test_a_new_certificate_without_a_restart(front: Front) -> None:
    before = ssl.get_server_certificate((HOST, PORT))
    certify(front.config.parent)
    front.process.send_signal(signal.SIGHUP)
    wait_for(lambda: ssl.get_server_certificate((HOST, PORT)) != before)
    assert requests.get(f"{front.base}/image/", verify=str(front.certificate), timeout=120).status_code == 300


def test_a_catalog_that_cannot_be_asked_is_told(front: Front, tmp_path: Path) -> None:
    config = yaml.safe_load(front.config.read_text())
    config["catalog"] |= {
        "auth_url": "http://127.0.109.9:5000/v3",
        "password_file": str(front.config.parent / "password"),
    }
    config["tls"] = {key: str(front.config.parent / file) for key, file in config["tls"].items()}
    path = tmp_path / "gateway.yaml"
    path.write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [sys.executable, "-m", "openstackoid", "gateway", "--config", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "catalog.auth_url: http://127.0.109.9:5000/v3 cannot be asked: " in done.stderr
