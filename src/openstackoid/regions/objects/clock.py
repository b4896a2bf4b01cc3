"""What time does to a contract, at its provider. Pure."""

from datetime import UTC, datetime, timedelta

from openstackoid.regions.objects.states import ContractEvent, ContractState, Side
from openstackoid.regions.objects.terms import Terms

_OPEN = frozenset({ContractState.REQUESTED, ContractState.COUNTERED})
_BINDING = frozenset({ContractState.AGREED, ContractState.PROVISIONING, ContractState.ACTIVE, ContractState.SUSPENDED})


def due(
    side: Side, state: ContractState, since: int, terms: Terms, now: int, *, offered: bool
) -> tuple[ContractEvent, str] | None:
    """The event that the provider has to cause now, and why.

    Args:
        side: ours; a consumer leaves all of this to its provider.
        state: the contract's.
        since: when it became so (Unix seconds).
        terms: on the table, or agreed.
        now: Unix seconds.
        offered: whether the virtual region, in any version, is offered to the consumer.
    """
    if side is not Side.PROVIDER:
        return None
    moment = datetime.fromtimestamp(now, UTC)
    if state in _OPEN and moment >= terms.answer_by:
        return ContractEvent.EXPIRE, "nobody answered in time"
    if state is ContractState.REQUESTED and not offered:
        return ContractEvent.REJECT, "no such virtual region is offered to you"
    if state in _BINDING and terms.ends is not None and moment >= terms.ends:
        return ContractEvent.END, "the terms end here"
    grace = timedelta(days=terms.grace_days)
    if state is ContractState.ENDING and moment >= datetime.fromtimestamp(since, UTC) + grace:
        return ContractEvent.FINISH, "the grace time is over"
    return None


def set_up(side: Side, state: ContractState, *, ready: bool) -> tuple[ContractEvent, str] | None:
    """The event that a provider that sets contracts up by itself has to cause now, and why.

    Args:
        side: ours.
        state: the contract's.
        ready: whether what the contract needs is there.
    """
    if side is not Side.PROVIDER or not ready:
        return None
    if state is ContractState.AGREED:
        return ContractEvent.PROVISION, "the terms are agreed"
    if state is ContractState.PROVISIONING:
        return ContractEvent.ACTIVATE, "what the contract needs is there"
    return None
