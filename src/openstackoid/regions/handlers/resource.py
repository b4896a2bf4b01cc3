"""What is there under a contract, for its users to fetch before it ends: asked at the provider, by its own operators or by the consumer's."""

import asyncio
from typing import Any

from openstackoid.regions.errors import NoProviderError, PartyError
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.states import Side
from openstackoid.trust import tokens

_HIDDEN = frozenset({"reason", "local_project"})


async def list_all(call: Call) -> dict[str, Any]:
    """The resources of a contract, with the projects as this side knows them."""
    contract = await asyncio.to_thread(call.control.contracts.get, call.path["contract"])
    if contract.side is Side.PROVIDER:
        return {"resources": await _here(call, contract)}
    rows = await call.control.peers.resources(contract.peer, contract.id)
    names = await _projects(call, contract)
    return {"resources": [row | {"project": names.get(row["project"], row["project"])} for row in rows]}


async def to_peer(call: Call) -> dict[str, Any]:
    """The same, for the control plane of the contract's consumer."""
    peer = await call.control.peers.caller(call.assertion)
    contract = await asyncio.to_thread(call.control.contracts.get, call.body["contract"])
    if (contract.peer, contract.side) != (peer, Side.PROVIDER):
        raise PartyError(f"{peer} is not the consumer of the contract {contract.id}.")
    return {"resources": await _here(call, contract)}


async def _here(call: Call, contract: Contract) -> list[dict[str, str]]:
    if call.control.worker is None:
        raise NoProviderError("This control plane sees no project: its configuration lacks the section provider.")
    rows = await call.control.worker.inventory(contract)
    return [{name: value for name, value in row.items() if name not in _HIDDEN} for row in rows]


async def _projects(call: Call, contract: Contract) -> dict[str, str]:
    """Pseudonym -> id of our project, as far as our Keystone lists it."""
    terms = contract.outcome.terms
    if terms is None or not terms.anonymous:
        return {}
    catalog, _ = call.control.aggregator()
    party, keys = f"contract:{contract.id}", call.control.keys
    ids = [str(row["id"]) for row in await catalog.entities("projects")]
    return {tokens.project_pseudonym(identity, party, keys): identity for identity in ids}
