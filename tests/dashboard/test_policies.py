"""The panels hide what the control plane and the gateway would refuse: their policies are its own."""

from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml
from tests.dashboard import services

from openstackoid.gateway.operating.rules import RULES as OPERATING
from openstackoid.policies import BASE
from openstackoid.regions.policies import RULES
from openstackoid.regions.schemas import usage as schema

FILE: Final = Path(__file__).parents[2] / "dashboard" / "openstackoid_dashboard" / "conf" / "openstackoid.yaml"


def test_the_policies_of_the_panels_are_the_control_planes() -> None:
    shown: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())
    rules = {rule[0]: rule[1] for rule in (*BASE, *RULES, *OPERATING)}
    assert {"contract:event", "operator_manager", *(rule[0] for rule in OPERATING)} <= {rule["name"] for rule in shown}
    for rule in shown:
        assert rule["check_str"] == rules[rule["name"]], rule["name"]


def test_the_use_that_the_front_shows_has_the_control_planes_form() -> None:
    jsonschema.validate(services.usage("2026-12-01"), schema.USAGE)
