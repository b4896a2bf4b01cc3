"""A gateway of the desk's cloud with an operators' API, a trail of audit, and another owner's cloud that may be added as a peer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.dashboard.hostile import HOSTILE
from tests.gateway.owners import Bare
from tests.gateway.wire import Gateway
from tests.ports import free_ports
from tests.regions.planes import Plane

CHAIN: Final = "req-00000000-0000-4000-8000-00000000cafe"
REFUSED: Final = "req-00000000-0000-4000-8000-00000000dead"


@dataclass(frozen=True)
class Operated:
    """A gateway, and who may be added.

    Attributes:
        url: of its frontend.
        stranger: another owner's cloud.
        audit: the file that it appends to.
    """

    url: str
    stranger: Bare
    audit: Path


@contextmanager
def operated(folder: Path, plane: Plane) -> Iterator[Operated]:
    """Start the gateway of a cloud, on the control plane's database and with its Keystone, and end it."""
    frontend, peering = free_ports(2)
    folder.mkdir()
    audit = folder / "audit.jsonl"
    audit.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in trail()))
    url = f"http://127.0.0.1:{frontend}"
    config: dict[str, Any] = {
        "cloud": plane.cloud,
        "services": {"identity": {"frontend": url, "backend": plane.door_url}},
        "peering": {"url": f"http://127.0.0.1:{peering}"},
        "trust": {"keys": str(plane.folder / "keys.json"), "database": plane.database_url},
        "operators": {},
    }
    stranger = Bare("CloudThree")
    gateway = Gateway(folder, config)
    try:
        gateway.ready()
        yield Operated(url, stranger, audit)
    finally:
        gateway.end()
        code = gateway.stop()
        stranger.close()
    assert (code, "Traceback" in gateway.said) == (0, False), gateway.said


def trail() -> list[dict[str, Any]]:
    """Lines, oldest first: 30 of images, a chain, one that went to several clouds, one that was refused."""
    begin = datetime.now(UTC) - timedelta(hours=1)

    def line(number: int, **more: Any) -> dict[str, Any]:
        time = (begin + timedelta(seconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        request = f"req-00000000-0000-4000-8000-{number:012}"
        return {
            "time": time,
            "cloud": "CloudOne",
            "status": 200,
            "error": None,
            "decision": "remote",
            "peer": "CloudTwo",
            "service": "image",
            "home": "CloudOne",
            "user": "alice",
            "project": "blackboard",
            "ms": 1.5,
            "request_id": request,
            "global_request_id": request,
            "scope": {"image": "CloudTwo"},
            "method": "GET",
            "path": f"/v2/images/{number}",
            **more,
        }

    visitor = {"decision": "local", "peer": "CloudOne", "home": "CloudTwo", "user": "bob", "project": "theirs"}
    legs = [{"peer": name, "decision": "remote", "status": 200} for name in ("CloudTwo", "CloudNine")]
    return [
        *(line(number) for number in range(30)),
        line(40, service="compute", path="/v2.1/servers", method="POST", global_request_id=CHAIN),
        line(41, path="/v2/images/of-the-chain", global_request_id=CHAIN, **visitor),
        line(42, decision="several", peer=None, legs=legs, path="/v2/images/of-all"),
        line(43, status=403, error="agreement.rule", path=f"/v2/{HOSTILE}", global_request_id=REFUSED, **visitor),
    ]
