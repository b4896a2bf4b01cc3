"""Alert rules and the dashboard: Prometheus reads them, they fire when they should, and they ask for metrics that a gateway has."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from openstackoid.gateway.telemetry import metrics
from openstackoid.gateway.telemetry.gauges import State

from .conftest import DEPLOY

RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "openstackoid.json"
# What Grafana fills in.
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}
# Of Prometheus itself.
FOREIGN = {"up"}


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("expected promtool: apt-get install prometheus")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions() -> list[str]:
    """All that the dashboard's panels ask for, as Prometheus gets it."""
    made = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            made.append(expression)
    return made


def test_prometheus_takes_the_rules() -> None:
    count = sum(len(group["rules"]) for group in yaml.safe_load(RULES.read_text())["groups"])
    assert f"{count} rules found" in promtool("check", "rules", str(RULES))


def test_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", str(RULES.with_name("alerts_test.yml")))


def test_every_alert_is_tried() -> None:
    tried = yaml.safe_load(RULES.with_name("alerts_test.yml").read_text())["tests"]
    fired = {each["alertname"] for test in tried for each in test["alert_rule_test"] if each["exp_alerts"]}
    assert fired == {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


def test_prometheus_takes_what_the_dashboard_asks_for(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(expressions())]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_a_gateway_has_the_metrics_that_they_ask_for() -> None:
    has = set(re.findall(r"^# TYPE (\w+) ", metrics.text(State("CloudOne")).decode(), re.MULTILINE))
    has |= {f"{name}_{part}" for name in has for part in ("count", "sum", "bucket")}
    has.add("openstackoid_loop_age_seconds")  # made of loops when there are some
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    asked = {
        name
        for each in [*rules, *expressions()]
        for name in re.findall(r"\b(openstackoid_\w+|up)\b(?=\{|\s|\)|$)", each)
    }
    assert {name for name in asked if name.startswith("openstackoid_")}
    assert asked - FOREIGN <= has
