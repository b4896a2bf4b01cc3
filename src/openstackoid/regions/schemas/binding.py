"""A region of the catalog that is bound to a contract."""

from typing import Final

from openstackoid.regions.objects.binding import BindingState
from openstackoid.regions.objects.states import ContractState
from openstackoid.regions.schemas.common import DIALECT, ID, NAME, REASON, SERVICES, Schema, closed, listed

BIND: Final[Schema] = {"$schema": DIALECT, **closed({"region": NAME, "contract": ID}, "*")}
_BINDING: Final[Schema] = closed(
    {
        "region": NAME,
        "contract": ID,
        "state": {"enum": [state.value for state in BindingState]},
        "error": REASON,
        "provider": NAME,
        "contract_state": {"enum": [state.value for state in ContractState]},
        "services": SERVICES,
    },
    "*",
)
SHOWN: Final[Schema] = {"$schema": DIALECT, **_BINDING}
LIST: Final[Schema] = {"$schema": DIALECT, **closed({"bindings": listed(_BINDING, 100_000)}, "*")}
