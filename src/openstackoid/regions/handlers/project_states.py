"""Statements of other clouds' control planes about their projects: hostile until signature, form, party and serial were checked."""

import asyncio
from typing import Any

from openstackoid.regions import following
from openstackoid.regions.errors import MessageError, PartyError
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects import project_states
from openstackoid.regions.objects.grant import IN_USE
from openstackoid.regions.objects.project_states import Statement
from openstackoid.regions.objects.states import Side
from openstackoid.regions.schemas import project_states as schema
from openstackoid.regions.schemas.common import check
from openstackoid.trust import signatures, tokens


async def take(call: Call) -> dict[str, Any]:
    """Put on record what a statement asks for; says which projects have sub-projects."""
    text, control = call.body["statement"], call.control
    longest = project_states.LONGEST
    sender = str(signatures.unverified(text, project_states.TYPE, longest).get("iss", ""))
    keys = await control.peers.keys(sender, tokens.key_id(text))
    payload = signatures.verify(text, project_states.TYPE, keys, longest)
    check(payload, schema.PAYLOAD)
    statement = Statement.from_json(payload)
    if statement.recipient != control.cloud:
        raise MessageError(f"Expected a statement to {control.cloud}, got one to {statement.recipient}.")
    contract = await asyncio.to_thread(control.contracts.get, statement.contract)
    if (contract.peer, contract.side) != (statement.sender, Side.PROVIDER):
        raise PartyError(f"{statement.sender} is not the consumer of the contract {contract.id}.")
    terms = contract.outcome.terms
    if contract.outcome.state not in IN_USE or terms is None:
        return {"projects": []}
    projects = await asyncio.to_thread(
        following.record, statement, terms, control.project_states, control.works, control.mappings
    )
    return {"projects": projects}
