"""Bindings of regions to contracts, for a consumer's operators."""

import asyncio
import time
from typing import Any

from openstackoid.regions.errors import PartyError, TransitionError
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects import health
from openstackoid.regions.objects.binding import Binding
from openstackoid.regions.objects.grant import IN_USE
from openstackoid.regions.objects.states import Side
from openstackoid.trust.region_health import Counted


async def list_all(call: Call) -> dict[str, Any]:
    """All bound regions, with the states of their contracts."""
    bindings = await asyncio.to_thread(call.control.bindings.all)
    counted = await _counted(call)
    return {"bindings": [await _shown(call, binding, counted) for binding in bindings]}


async def show(call: Call) -> dict[str, Any]:
    """One bound region."""
    return await _shown(call, await asyncio.to_thread(call.control.bindings.get, call.path["region"]))


async def bind(call: Call) -> dict[str, Any]:
    """Bind a region of the catalog to a contract; the same again changes nothing."""
    call.control.aggregator()
    contract = await asyncio.to_thread(call.control.contracts.get, call.body["contract"])
    if contract.side is not Side.CONSUMER:
        raise PartyError(
            f"{call.control.cloud} is the provider of the contract {contract.id}: its consumer binds a region."
        )
    if contract.outcome.state not in IN_USE:
        expected = ", ".join(IN_USE)
        raise TransitionError(f"The contract is {contract.outcome.state}: expected {expected} to bind a region to it.")
    region = call.body["region"]
    binding = await asyncio.to_thread(call.control.bindings.bind, region, contract.id, call.operator.name)
    await call.control.settle(binding.region)
    return await _shown(call, await asyncio.to_thread(call.control.bindings.get, region))


async def unbind(call: Call) -> dict[str, Any]:
    """Take a region out of the catalog, and its requests to the provider off."""
    call.control.aggregator()
    binding = await asyncio.to_thread(call.control.bindings.unbind, call.path["region"])
    shown = await _shown(call, binding)
    await call.control.settle(binding.region)
    return shown


async def _counted(call: Call) -> dict[str, Counted]:
    return await asyncio.to_thread(call.control.health.all, int(time.time()) // 60)


async def _shown(call: Call, binding: Binding, counted: dict[str, Counted] | None = None) -> dict[str, Any]:
    contract = await asyncio.to_thread(call.control.contracts.get, binding.contract)
    outcome = contract.outcome
    counts = (await _counted(call) if counted is None else counted).get(binding.contract, Counted())
    milliseconds, why = await call.control.peers.alive(contract.peer)
    return {
        "region": binding.region,
        "contract": binding.contract,
        "state": binding.state.value,
        "error": binding.error,
        "provider": contract.peer,
        "contract_state": outcome.state,
        "services": list(outcome.terms.services) if outcome.terms else [],
        "health": health.of(outcome.state, counts, milliseconds, why),
    }
