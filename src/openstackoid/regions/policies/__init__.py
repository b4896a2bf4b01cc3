"""Who may do what, as oslo.policy's rules: defaults here, an operator's own in a policy file.

    reader    sees       (`role:reader` with system scope, or admin)
    manager   changes    (`role:manager` with system scope, or admin)
    admin     all

A member of an ordinary project has `reader` there, too: without system scope the role says nothing about the cloud.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from oslo_config import cfg
from oslo_policy import policy

from openstackoid.regions.policies import base, binding, contract, offer, virtual_region

DOCUMENTED: Final = (*virtual_region.RULES, *offer.RULES, *contract.RULES, *binding.RULES)


class Policies:
    """The rules in force."""

    def __init__(self, file: Path | None) -> None:
        """Read an operator's own rules.

        Args:
            file: YAML of rule names to rules, read again when it changes; None for the defaults.
        """
        conf = cfg.ConfigOpts()
        conf([], project="openstackoid", default_config_files=[], default_config_dirs=[])
        self._enforcer: Any = policy.Enforcer(conf, policy_file=str(file) if file else None)
        conf.set_override("policy_dirs", [], group="oslo_policy")
        if file is None:
            conf.set_override("policy_file", "/nonexistent", group="oslo_policy")
        self._enforcer.register_defaults([policy.RuleDefault(*rule) for rule in base.RULES])
        self._enforcer.register_defaults([policy.DocumentedRuleDefault(*rule) for rule in DOCUMENTED])
        self._enforcer.load_rules()

    def allows(self, rule: str, credentials: Mapping[str, Any]) -> bool:
        """Whether a rule allows something to who has these credentials.

        Args:
            rule: name, such as `contract:list`.
            credentials: `roles`, `system_scope`, `project_id`, `domain_id`, `user_id`.
        """
        return bool(self._enforcer.enforce(rule, {}, dict(credentials)))
