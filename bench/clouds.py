"""Configurations of the gateways of two clouds, of one owner or of two."""

import contextlib
import json
import socket
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from openstackoid.lab.meeting import is_met
from openstackoid.trust import key_files

_PATIENCE = 30  # seconds, for two clouds to hear each other
_GIVEN: Final[set[int]] = set()


@dataclass(frozen=True)
class Ports:
    """Where a cloud's gateway listens: for each service, for peers, for operators."""

    cloud: str
    ports: Mapping[str, int]
    peering: int
    admin: int

    @classmethod
    def free(cls, cloud: str, services: Sequence[str]) -> Self:
        """Ports where nobody listens."""
        *found, peering, admin = ports(len(services) + 2)
        return cls(cloud, dict(zip(services, found, strict=True)), peering, admin)


def shared(
    cloud: str,
    frontends: Mapping[str, int],
    backends: Mapping[str, int],
    peers: Mapping[str, str],
    seen: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """A cloud among those of one owner: users' tokens pass through.

    Args:
        cloud: its name.
        frontends: service -> port where the gateway listens.
        backends: service -> port where the service does.
        peers: name -> URL.
        seen: service -> port by which everybody else reaches the frontend, if that is another one.
    """
    services = {
        kind: {
            "frontend": _url((seen or frontends)[kind]),
            "listen": f"127.0.0.1:{port}",
            "backend": _url(backends[kind]),
        }
        for kind, port in frontends.items()
    }
    return {
        "cloud": cloud,
        "services": services,
        "peers": {name: {"url": url, "token": "pass-through"} for name, url in peers.items()},
    }


def owned(
    folder: Path,
    two: Sequence[Ports],
    backends: Sequence[Mapping[str, int]],
    seen: Sequence[int | None],
) -> list[dict[str, Any]]:
    """Two clouds of different owners.

    Args:
        folder: for keys and databases.
        two: where they listen.
        backends: of each, service -> port.
        seen: of each, the port by which the other reaches its peering door, if that is another one.
    """
    password = folder / "password"
    password.write_text("password")
    doors = [_url(other or each.peering) for each, other in zip(two, seen, strict=True)]
    rings = [key_files.create(folder / f"keys-{each.peering}.json") for each in two]
    configs = []
    for number, each in enumerate(two):
        other = 1 - number
        plain = shared(each.cloud, each.ports, backends[number], {})
        configs.append(
            plain
            | {
                "admin": {"listen": f"127.0.0.1:{each.admin}"},
                "peering": {"url": doors[number], "listen": f"127.0.0.1:{each.peering}"},
                "trust": {
                    "keys": f"keys-{each.peering}.json",
                    "database": f"sqlite:///trust-{each.peering}.sqlite",
                    "account": {
                        "auth_url": f"{_url(backends[number]['identity'])}/v3",
                        "username": "gateway",
                        "password_file": str(password),
                        "project_name": "service",
                    },
                },
                "peers": {
                    two[other].cloud: {
                        "url": doors[other],
                        "fingerprint": rings[other].fingerprint,
                        "allow": {"services": [kind for kind in each.ports if kind != "identity"]},
                    }
                },
            }
        )
    return configs


def wait_for_peers(frontends: Sequence[int]) -> None:
    """Until these gateways know all their peers, and agree with those of other owners."""
    end = time.monotonic() + _PATIENCE
    while not all(map(_settled, frontends)):
        if time.monotonic() > end:
            raise SystemExit("bench: the gateways do not find each other")
        time.sleep(0.05)


def _settled(port: int) -> bool:
    with urllib.request.urlopen(f"{_url(port)}/openstackoid/v1/peers", timeout=5) as answer:
        peers = json.load(answer)["peers"]
    return all(map(is_met, peers))


def counts(admin: int, metric: str) -> dict[str, float]:
    """What a gateway counted: `how` -> number."""
    with urllib.request.urlopen(f"{_url(admin)}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    head = f'{metric}_total{{how="'
    return {line[len(head) :].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(head)}


def ports(number: int) -> list[int]:
    """Ports where nobody listens, all different, and never the same twice: who got some may begin to listen much later."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < number:
            port = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            if port not in _GIVEN:
                _GIVEN.add(port)
                found.append(port)
    return found


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
