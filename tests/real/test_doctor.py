"""`openstackoid doctor` on real clouds: nothing is wrong with them, and what is made wrong is found."""

import json
import sys
from pathlib import Path
from typing import Any

from tests import commands

from openstackoid.lab import Lab


def examined(file: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the findings by their checks."""
    binary = str(Path(sys.executable).parent / "openstackoid")
    words = [binary, "doctor", "--config", str(file), "-f", "json"]
    done = commands.run(words, capture_output=True, text=True, check=False, timeout=180)
    assert done.stdout, done.stderr
    return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)}


def test_a_cloud_of_the_lab_is_well(lab: Lab) -> None:
    code, found = examined(lab.clouds["CloudOne"].gateway_config)
    ill = [finding for finding in found.values() if finding["result"] not in {"ok", "skipped"}]
    assert (code, ill) == (0, [])
    for check in ("Keystone", "Keystone's clock", "database", "health: agreements", "peer CloudTwo: agreement"):
        assert found[check]["result"] == "ok", found.get(check)
    for check in ("trust.account", "projects in default", "catalog: image", "HAProxy", "HAProxy's configuration"):
        assert found[check]["result"] == "ok", found.get(check)
