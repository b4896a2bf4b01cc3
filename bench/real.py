"""What a person waits for on a lab: the stock client against the services and through the gateway, and the lab's restart."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

_RUNS = 3
_ASKED = (("server", "list"), ("image", "list"))
_TYPES = ("compute", "image")


def measured(lab: Path) -> dict[str, float]:
    """Seconds of each, medians; the lab is stopped and started at the end."""
    seconds: dict[str, float] = {}
    folder = next(path.parent for path in sorted(lab.glob("*/gateway.yaml")))
    config = yaml.safe_load((folder / "gateway.yaml").read_text())
    clouds = yaml.safe_load(next(iter(sorted(lab.glob("**/clouds.yaml")))).read_text())
    with tempfile.TemporaryDirectory(prefix="openstackoid-bench-") as temporary:
        file = Path(temporary) / "clouds.yaml"
        file.write_text(yaml.safe_dump({"clouds": _both(clouds["clouds"][config["cloud"]], config)}))
        file.chmod(0o600)
        times: dict[str, list[float]] = {}
        for _ in range(_RUNS):
            for asked in _ASKED:
                for way in ("backend", "gateway"):
                    spent = _timed(
                        [_program("openstack"), *asked], {"OS_CLIENT_CONFIG_FILE": str(file), "OS_CLOUD": way}
                    )
                    times.setdefault(f"openstack {' '.join(asked)}, {way}", []).append(spent)
        seconds |= {name: statistics.median(runs) for name, runs in times.items()}
    for action in ("down", "up"):
        command = [_program("openstackoid"), "lab", action, "--dir", str(lab)]
        seconds[f"openstackoid lab {action}"] = _timed(command, {})
    return seconds


def _both(entry: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The same user at the backends and at the gateway."""
    identity = config["services"]["identity"]
    backend = entry | {"auth": entry["auth"] | {"auth_url": identity["backend"] + "/v3"}}
    for kind in _TYPES:
        service = config["services"][kind]
        path = service["endpoint"].removeprefix(service["frontend"])
        backend[f"{kind}_endpoint_override"] = service["backend"] + path
    return {"gateway": entry, "backend": backend}


def _timed(command: list[str], environment: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, timeout=300)
    return time.monotonic() - began


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
