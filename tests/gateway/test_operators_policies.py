"""Policies of the operators' API: defaults, and an operator's own rules."""

from pathlib import Path
from typing import Any

import pytest

from openstackoid.gateway.operating.rules import RULES
from openstackoid.policies import Policies

READER: dict[str, Any] = {"roles": ["reader"], "system_scope": "all"}
MANAGER: dict[str, Any] = {"roles": ["manager", "reader"], "system_scope": "all"}
IN_A_PROJECT: dict[str, Any] = {"roles": ["manager", "member", "reader"], "project_id": "p", "system_scope": None}
SEES = {"audit:list", "agreement:list"}


@pytest.mark.parametrize(
    ("credentials", "allowed"),
    [(READER, SEES), (MANAGER, {rule[0] for rule in RULES}), (IN_A_PROJECT, set()), ({"roles": []}, set())],
)
def test_the_defaults(credentials: dict[str, Any], allowed: set[str]) -> None:
    policies = Policies(RULES, None)
    assert {rule[0] for rule in RULES if policies.allows(rule[0], credentials)} == allowed
    assert all(policies.allows(rule[0], {"roles": ["admin"], "project_id": "p"}) for rule in RULES)


def test_own_rules_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"audit:list": "role:auditor"\n"agreement:delete": "!"\n')
    policies = Policies(RULES, file)
    assert policies.allows("audit:list", {"roles": ["auditor"], "project_id": "p"})
    assert not policies.allows("audit:list", READER)
    assert not policies.allows("agreement:delete", {"roles": ["admin"]})
    assert policies.allows("agreement:create", MANAGER)
