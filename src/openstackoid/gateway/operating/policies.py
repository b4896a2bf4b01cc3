"""Who may do what of the operators' API, as oslo.policy's rules: defaults here, an operator's own in a policy file.

    operator_reader    sees       (`role:reader` with system scope, or admin)
    operator_manager   changes    (`role:manager` with system scope, or admin)

These are the rules of the control plane of virtual regions, so one policy file serves both. A member of an ordinary project has `reader` there,
too: without system scope the role says nothing about the cloud.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from openstackoid.core.protocol import AGREEMENTS_PATH, AUDIT_PATH

READER: Final = "rule:operator_reader"
MANAGER: Final = "rule:operator_manager"
BASE: Final[tuple[tuple[Any, ...], ...]] = (
    ("operator_reader", "role:admin or (role:reader and system_scope:all)"),
    ("operator_manager", "role:admin or (role:manager and system_scope:all)"),
)
RULES: Final[tuple[tuple[Any, ...], ...]] = (
    ("audit:list", READER, "List requests of the audit.", [{"method": "GET", "path": AUDIT_PATH}]),
    ("agreement:list", READER, "List and show agreements.", [{"method": "GET", "path": AGREEMENTS_PATH}]),
    ("agreement:create", MANAGER, "Add a peer.", [{"method": "POST", "path": AGREEMENTS_PATH}]),
    ("agreement:update", MANAGER, "Allow, suspend, trust.", [{"method": "POST", "path": f"{AGREEMENTS_PATH}?name="}]),
    ("agreement:delete", MANAGER, "Remove a peer.", [{"method": "DELETE", "path": f"{AGREEMENTS_PATH}?name="}]),
)


class Policies:
    """The rules in force.

    Args:
        file: YAML of rule names to rules, read again when it changes; None for the defaults.
    """

    def __init__(self, file: Path | None) -> None:
        # Only gateways with an operators' API need oslo.policy, whose import takes a while.
        from oslo_config import cfg  # noqa: PLC0415
        from oslo_policy import policy  # noqa: PLC0415

        conf = cfg.ConfigOpts()
        conf([], project="openstackoid", default_config_files=[], default_config_dirs=[])
        self._enforcer: Any = policy.Enforcer(conf, policy_file=str(file) if file else None)
        conf.set_override("policy_dirs", [], group="oslo_policy")
        if file is None:
            conf.set_override("policy_file", "/nonexistent", group="oslo_policy")
        self._enforcer.register_defaults([policy.RuleDefault(*rule) for rule in BASE])
        self._enforcer.register_defaults([policy.DocumentedRuleDefault(*rule) for rule in RULES])
        self._enforcer.load_rules()

    def allows(self, rule: str, credentials: Mapping[str, Any]) -> bool:
        """Whether a rule allows something.

        Args:
            rule: name, such as `audit:list`.
            credentials: `roles`, `system_scope`, `project_id`, `domain_id`, `user_id`.
        """
        return bool(self._enforcer.enforce(rule, {}, dict(credentials)))
