"""Who may do what of the operators' APIs, as oslo.policy's rules: defaults of each API, and an operator's own in a policy file.

    operator_reader    sees       (`role:reader` with system scope, or admin)
    operator_manager   changes    (`role:manager` with system scope, or admin)

The gateway and the control plane of virtual regions stand on it, so one policy file serves both. A member of an ordinary project has `reader`
there, too: without system scope the role says nothing about the cloud.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

READER: Final = "rule:operator_reader"
MANAGER: Final = "rule:operator_manager"
BASE: Final[tuple[tuple[Any, ...], ...]] = (
    ("operator_reader", "role:admin or (role:reader and system_scope:all)"),
    ("operator_manager", "role:admin or (role:manager and system_scope:all)"),
)


class Policies:
    """The rules in force.

    Args:
        rules: of one API beside `BASE`: arguments of oslo.policy's `DocumentedRuleDefault`, name and default first.
        file: YAML of rule names to rules, read again when it changes; None for the defaults.
    """

    def __init__(self, rules: Iterable[tuple[Any, ...]], file: Path | None) -> None:
        # A gateway without an operators' API does not need oslo.policy, whose import takes a while.
        from oslo_config import cfg  # noqa: PLC0415
        from oslo_policy import policy  # noqa: PLC0415

        conf = cfg.ConfigOpts()
        conf([], project="openstackoid", default_config_files=[], default_config_dirs=[])
        self._enforcer: Any = policy.Enforcer(conf, policy_file=str(file) if file else None)
        conf.set_override("policy_dirs", [], group="oslo_policy")
        if file is None:
            conf.set_override("policy_file", "/nonexistent", group="oslo_policy")
        self._enforcer.register_defaults([policy.RuleDefault(*rule) for rule in BASE])
        self._enforcer.register_defaults([policy.DocumentedRuleDefault(*rule) for rule in rules])
        self._enforcer.load_rules()

    def allows(self, rule: str, credentials: Mapping[str, Any]) -> bool:
        """Whether a rule allows something to who has these credentials.

        Args:
            rule: name, such as `audit:list`.
            credentials: `roles`, `system_scope`, `project_id`, `domain_id`, `user_id`.
        """
        return bool(self._enforcer.enforce(rule, {}, dict(credentials)))
