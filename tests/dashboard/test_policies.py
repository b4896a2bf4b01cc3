"""The panels hide what the control plane would refuse: their policies are its own."""

from pathlib import Path
from typing import Any, Final

import yaml

from openstackoid.regions.policies import DOCUMENTED, base

FILE: Final = Path(__file__).parents[2] / "dashboard" / "openstackoid_dashboard" / "conf" / "openstackoid.yaml"


def test_the_policies_of_the_panels_are_the_control_planes() -> None:
    shown: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())
    rules = {rule[0]: rule[1] for rule in (*base.RULES, *DOCUMENTED)}
    assert {"contract:event", "operator_manager"} <= {rule["name"] for rule in shown}
    for rule in shown:
        assert rule["check_str"] == rules[rule["name"]], rule["name"]
