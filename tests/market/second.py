"""A second gateway of the aggregator, and one of the provider, on the same databases and keys as the lab's own: another way from users to the provider."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import yaml
from tests import commands
from tests.real.tools import Config, until

from openstackoid.core.protocol import PEERS_PATH
from openstackoid.lab import Cloud, Lab, certificates, owners
from openstackoid.lab.layout import CA
from openstackoid.lab.meeting import is_met
from openstackoid.trust import key_files


def there(cloud: Cloud, text: str) -> str:
    """A URL of a cloud's frontends, or a text with such, as the second gateway has them."""
    network = cloud.frontend_host.rpartition(".")[0]
    return text.replace(f"{cloud.frontend_host}:", f"{network}.7:")


def audit(cloud: Cloud) -> Path:
    """The file with the audit of the second gateway."""
    return cloud.audit.with_name("second-audit.log")


@contextlib.contextmanager
def second_gateways(lab: Lab, aggregator: str, provider: str) -> Iterator[None]:
    """Start both; the aggregator's sends what is for the provider to the provider's, by another URL of the same peer."""
    seller = lab.clouds[provider]
    entry = {
        "url": there(seller, seller.peering),
        "fingerprint": key_files.read(seller.keys).fingerprint,
        "allow": {"home": []},  # as the agreement in the database: contracts say what is allowed
    }
    with contextlib.ExitStack() as stack:
        for name, peers in ((provider, {}), (aggregator, {provider: entry})):
            stack.enter_context(_second(lab, lab.clouds[name], peers))
        until(lambda: _have_met(lab.clouds[aggregator], provider))
        yield


def _have_met(cloud: Cloud, peer: str) -> bool:
    """Whether a cloud's second gateway knows a peer, and its side of the agreement."""
    try:
        answer = requests.get(there(cloud, cloud.frontend("identity")) + PEERS_PATH, timeout=60).json()
    except requests.ConnectionError:  # it starts
        return False
    return next(is_met(row) for row in answer["peers"] if row["name"] == peer)


@contextlib.contextmanager
def _second(lab: Lab, cloud: Cloud, peers: dict[str, Any]) -> Iterator[None]:
    certificate, key, file = (cloud.gateway_config.with_name(f"second.{end}") for end in ("crt", "key", "yaml"))
    now = datetime.now(UTC)
    signer = certificates.authority(lab.directory / CA, lab.directory / owners.CA_KEY, now)
    certificates.ensure(
        certificate, key, signer, cloud.certificate_name, there(cloud, f"{cloud.frontend_host}:")[:-1], now
    )
    config: Config = yaml.safe_load(there(cloud, cloud.gateway_config.read_text()))
    config.pop("haproxy", None)
    config["peering"] |= {"listen": None, "tls": {"certificate": str(certificate), "key": str(key)}}
    config |= {"peers": peers, "audit": str(audit(cloud))}
    file.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "openstackoid", "gateway", "--config", str(file)]
    with cloud.log("second").open("wb") as log:
        process = commands.popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
