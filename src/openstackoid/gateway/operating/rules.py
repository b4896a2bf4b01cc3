"""The rules of the operators' API: what each needs by default (`openstackoid.policies`)."""

from typing import Any, Final

from openstackoid.core.protocol import AGREEMENTS_PATH, AUDIT_PATH
from openstackoid.policies import MANAGER, READER

RULES: Final[tuple[tuple[Any, ...], ...]] = (
    ("audit:list", READER, "List requests of the audit.", [{"method": "GET", "path": AUDIT_PATH}]),
    ("agreement:list", READER, "List and show agreements.", [{"method": "GET", "path": AGREEMENTS_PATH}]),
    ("agreement:create", MANAGER, "Add a peer.", [{"method": "POST", "path": AGREEMENTS_PATH}]),
    ("agreement:update", MANAGER, "Allow, suspend, trust.", [{"method": "POST", "path": f"{AGREEMENTS_PATH}?name="}]),
    ("agreement:delete", MANAGER, "Remove a peer.", [{"method": "DELETE", "path": f"{AGREEMENTS_PATH}?name="}]),
)
