"""A region of the catalog that is bound to a contract."""

from typing import Final

from openstackoid.regions.objects.binding import BindingState
from openstackoid.regions.objects.states import ContractState
from openstackoid.regions.schemas.common import (
    COUNT,
    DIALECT,
    ID,
    NAME,
    REASON,
    SERVICES,
    TIME,
    Schema,
    closed,
    listed,
)

BIND: Final[Schema] = {"$schema": DIALECT, **closed({"region": NAME, "contract": ID}, "*")}
_MAYBE_TIME: Final[Schema] = {"anyOf": [{"type": "null"}, TIME]}
_BINDING: Final[Schema] = closed(
    {
        "region": NAME,
        "contract": ID,
        "state": {"enum": [state.value for state in BindingState]},
        "error": REASON,
        "provider": NAME,
        "contract_state": {"enum": [state.value for state in ContractState]},
        "services": SERVICES,
        "health": closed(
            {
                "state": {"enum": ["up", "failing", "down", *(state.value for state in ContractState)]},
                "reason": REASON,
                "door_ms": COUNT,
                "requests": COUNT,
                "error_rate": {"type": "number", "minimum": 0, "maximum": 1},
                "latency_ms": COUNT,
                "last_success": _MAYBE_TIME,
                "last_failure": _MAYBE_TIME,
                "last_error": REASON,
            },
            "*",
        ),
    },
    "*",
)
SHOWN: Final[Schema] = {"$schema": DIALECT, **_BINDING}
LIST: Final[Schema] = {"$schema": DIALECT, **closed({"bindings": listed(_BINDING, 100_000)}, "*")}
