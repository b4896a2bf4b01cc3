"""How a region does: its contract, whether its provider's door answers now, and what gateways have counted in the last minutes. Pure."""

from datetime import UTC, datetime
from typing import Any, Final

from openstackoid.regions.objects.states import ContractState
from openstackoid.regions.objects.terms import format_time
from openstackoid.trust.region_health import Counted

UP, FAILING, DOWN = "up", "failing", "down"
_MANY: Final = 0.5  # of all requests


def of(state: ContractState | None, counted: Counted, milliseconds: int, error: str) -> dict[str, Any]:
    """A region's health.

    Args:
        state: of the contract; one that is not active is the region's state, too.
        counted: by the gateways.
        milliseconds: until the provider's door answered.
        error: why it did not; empty if it did.
    """
    rate = counted.failures / counted.requests if counted.requests else 0.0
    if state is not None and state is not ContractState.ACTIVE:
        how = state.value
    else:
        how = DOWN if error else FAILING if rate > _MANY else UP
    return {
        "state": how,
        "reason": error or (counted.error if how == FAILING else ""),
        "door_ms": milliseconds,
        "requests": counted.requests,
        "error_rate": round(rate, 4),
        "latency_ms": round(counted.milliseconds / counted.requests) if counted.requests else 0,
        "last_success": _time(counted.last_success),
        "last_failure": _time(counted.last_failure),
        "last_error": counted.error,
    }


def _time(seconds: int) -> str | None:
    return format_time(datetime.fromtimestamp(seconds, UTC)) if seconds else None
