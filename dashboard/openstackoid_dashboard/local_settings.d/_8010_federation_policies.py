"""Policies of the panels. Horizon reads this inside its settings.

Own rules of operators belong into `openstackoid_policy.yaml` beside Horizon's own policy files.
"""

import importlib.util
from pathlib import Path

_FEDERATION = Path(importlib.util.find_spec("openstackoid_dashboard").origin).parent
POLICY_FILES = {**POLICY_FILES, "virtual-region": "openstackoid_policy.yaml"}
DEFAULT_POLICY_FILES = {**DEFAULT_POLICY_FILES, "virtual-region": str(_FEDERATION / "conf" / "openstackoid.yaml")}
