"""Who may see and change virtual regions."""

from typing import Any, Final

from openstackoid.policies import MANAGER, READER

_ALL: Final = "/v1/virtual-regions"
_ONE: Final = "/v1/virtual-regions/{virtual_region}"
RULES: Final[tuple[tuple[Any, ...], ...]] = (
    ("virtual_region:list", READER, "List virtual regions.", [{"method": "GET", "path": _ALL}]),
    (
        "virtual_region:show",
        READER,
        "Show a virtual region.",
        [{"method": "GET", "path": _ONE}, {"method": "GET", "path": f"{_ONE}/history"}],
    ),
    ("virtual_region:create", MANAGER, "Create a virtual region.", [{"method": "POST", "path": _ALL}]),
    ("virtual_region:update", MANAGER, "Change a virtual region.", [{"method": "PATCH", "path": _ONE}]),
    ("virtual_region:delete", MANAGER, "Retire a virtual region.", [{"method": "DELETE", "path": _ONE}]),
    ("virtual_region:offer", MANAGER, "Offer a virtual region.", [{"method": "POST", "path": f"{_ONE}/offer"}]),
    ("virtual_region:withdraw", MANAGER, "Withdraw an offer.", [{"method": "POST", "path": f"{_ONE}/withdraw"}]),
)
