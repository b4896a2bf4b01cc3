"""Who may see which regions are bound to contracts, and bind them."""

from typing import Any, Final

from openstackoid.policies import MANAGER, READER

_ALL: Final = "/v1/bindings"
_ONE: Final = "/v1/bindings/{region}"
RULES: Final[tuple[tuple[Any, ...], ...]] = (
    ("binding:list", READER, "List bound regions.", [{"method": "GET", "path": _ALL}]),
    ("binding:show", READER, "Show a bound region.", [{"method": "GET", "path": _ONE}]),
    ("binding:create", MANAGER, "Bind a region to a contract.", [{"method": "POST", "path": _ALL}]),
    ("binding:delete", MANAGER, "Unbind a region.", [{"method": "DELETE", "path": _ONE}]),
)
