"""Contracts, for the operators of either side."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from openstackoid.core.errors import BadRequestError
from openstackoid.regions.control import Control, new_id, now
from openstackoid.regions.errors import UnknownRegionError
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects import by_hand, chain
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.states import CONTRACT, ContractEvent, ContractState, Side, may
from openstackoid.regions.objects.terms import Terms
from openstackoid.regions.objects.work import Stage, Work, summary
from openstackoid.regions.schemas.contract import MOST_SHOWN
from openstackoid.regions.tables.contract import Summary


async def list_all(call: Call) -> dict[str, Any]:
    """All contracts, or those of `?state=`."""
    state = call.query.get("state")
    if state is not None and state not in set(ContractState):
        raise BadRequestError(f"Expected ?state= with one of {', '.join(ContractState)}.")
    states = [ContractState(state)] if state else []
    return {
        "contracts": [_listed(contract) for contract in await asyncio.to_thread(call.control.contracts.all, *states)]
    }


async def show(call: Call) -> dict[str, Any]:
    """One contract with its history."""
    return await _shown(call, await asyncio.to_thread(call.control.contracts.get, call.path["contract"]))


async def request(call: Call) -> dict[str, Any]:
    """Ask a provider for a contract; answered as soon as the request is kept, and sent then."""
    provider = call.body["provider"]
    await call.control.peers.agreement(provider)
    empty = Contract(new_id(), Side.CONSUMER, call.control.cloud, provider)
    terms, reason = Terms.from_json(call.body["terms"]), call.body.get("reason", "")
    chain.check_circle(call.control.cloud, terms.owners)
    made = empty.cause(ContractEvent.REQUEST, now(), terms, reason)
    await asyncio.to_thread(call.control.contracts.request, made, call.operator.name, int(time.time()))
    call.control.kicked.set()
    return await _shown(call, made)


async def event(call: Call) -> dict[str, Any]:
    """Let something of ours happen; answered as soon as it is kept, and sent then."""
    kind = ContractEvent(call.body["event"])
    terms = Terms.from_json(call.body["terms"]) if "terms" in call.body else None
    reason = call.body.get("reason", "")
    if kind in {ContractEvent.ACCEPT, ContractEvent.COUNTER}:
        terms = await asyncio.to_thread(_chained, call.control, call.path["contract"], kind, terms)
    contract = await asyncio.to_thread(
        call.control.contracts.cause,
        call.path["contract"],
        lambda before: before.cause(kind, now(), terms, reason),
        call.operator.name,
        int(time.time()),
    )
    await call.control.changed()
    return await _shown(call, contract)


def _chained(control: Control, identity: str, kind: ContractEvent, terms: Terms | None) -> Terms | None:
    """The terms of an event, with the clouds behind the region if we write them.

    Raises:
        CircleError, OwnersError, DocumentError: nobody may agree to that.
    """
    contract = control.contracts.get(identity)
    agreed = terms or contract.outcome.terms
    if agreed is None:
        return terms
    if contract.side is Side.CONSUMER:
        chain.check_circle(control.cloud, agreed.owners)
        return terms
    owners: tuple[str, ...] = ()
    with contextlib.suppress(UnknownRegionError):  # whose contracts are rejected
        owners = control.owners(control.regions.get(agreed.virtual_region))
    chain.check_circle(contract.peer, owners)
    if kind is ContractEvent.COUNTER and terms is not None:
        terms = agreed = replace(terms, owners=owners)
    chain.check_owners(agreed, owners)
    return terms


def _listed(row: Summary) -> dict[str, Any]:
    return {
        "id": row.id,
        "peer": row.peer,
        "side": row.side.value,
        "state": row.state.value,
        "virtual_region": row.terms.virtual_region,
        "region_name": row.terms.region_name,
    }


def _clean_up(control: Control, contract: Contract, works: Sequence[Work]) -> dict[str, Any] | None:
    """How far the clean-up is, and when all is done what it leaves to people: a domain that no contract needs."""
    found, terms = summary(works), contract.outcome.terms
    if found is None:
        return None
    commands: list[str] = []
    if terms is not None and found["done"] and found["ended"]:
        regions = control.regions.all(retired=True)
        domain = next((region.domain_id for region in regions if region.id == terms.virtual_region), "")
        of_domain = [region for region in regions if region.domain_id == domain]
        if of_domain and not any(control.regions.contracts(region.id) for region in of_domain):
            commands = by_hand.commands(domain, of_domain)
    return found | {"by_hand": commands}


async def _shown(call: Call, contract: Contract) -> dict[str, Any]:
    outcome = contract.outcome
    waiting = await asyncio.to_thread(call.control.contracts.unacknowledged, contract.id)
    error = await asyncio.to_thread(call.control.outbox.error, contract.id) if waiting else ""
    works = await asyncio.to_thread(call.control.works.of, contract.id)
    allowed = [row.event for row in CONTRACT if row.state == outcome.state and may(row, contract.side, outcome.author)]
    return {
        "id": contract.id,
        "side": contract.side.value,
        "peer": contract.peer,
        "state": outcome.state,
        "terms": outcome.terms.to_json() if outcome.terms else None,
        "terms_by": outcome.author,
        "unacknowledged": waiting,
        "sending_error": error,
        "allowed": allowed,
        "clean_up": await asyncio.to_thread(_clean_up, call.control, contract, works),
        "work": [work.to_json() for work in works if work.stage is not Stage.DONE][:MOST_SHOWN],
        "history": [
            {
                "side": step.side.value,
                "number": step.message.number,
                "event": step.message.event.value,
                "time": step.message.time,
                "state": step.state,
                "void": step.void,
                "reason": step.message.reason,
            }
            for step in outcome.steps
        ],
    }
