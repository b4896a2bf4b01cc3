"""Rules that others are made of."""

from typing import Any, Final

READER: Final = "rule:operator_reader"
MANAGER: Final = "rule:operator_manager"
RULES: Final[tuple[tuple[Any, ...], ...]] = (
    ("operator_reader", "role:admin or (role:reader and system_scope:all)"),
    ("operator_manager", "role:admin or (role:manager and system_scope:all)"),
)
