"""`openstackoid doctor` on real clouds: it finds nothing wrong with what works."""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from tests import commands

from openstackoid.lab import Lab

# Of every kind one. What other tests left behind in the same clouds, such as a peer that was suspended, may be a finding of its own.
CHECKS: Final = (
    "configuration", "keys", "database", "Keystone", "Keystone's clock", "trust.account", "projects in default", "catalog: image",
    "health: agreements", "peer CloudTwo", "peer CloudTwo: clock", "peer CloudTwo: agreement", "HAProxy",
)  # fmt: skip
_PATIENCE: Final = 180.0  # seconds: the gateway may have been started, or cut off, a moment ago


def examined(file: Path) -> dict[str, dict[str, Any]]:
    """The findings by their checks."""
    binary = str(Path(sys.executable).parent / "openstackoid")
    words = [binary, "doctor", "--config", str(file), "-f", "json"]
    done = commands.run(words, capture_output=True, text=True, check=False, timeout=180)
    assert done.stdout, done.stderr
    found = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == int(any(finding["result"] == "failed" for finding in found.values()))
    return found


def test_a_cloud_of_the_lab_is_well(lab: Lab) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        found = examined(lab.clouds["CloudOne"].gateway_config)
        ill = {check: found.get(check) for check in CHECKS if found.get(check, {}).get("result") != "ok"}
        if not ill:
            return
        assert time.monotonic() < end, ill
