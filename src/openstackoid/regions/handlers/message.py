"""Messages of other clouds' control planes: hostile until their size, signature, form and sequence were checked."""

import asyncio
import time
from typing import Any

from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects import message as messages
from openstackoid.regions.objects import statement as statements
from openstackoid.regions.objects.message import Message
from openstackoid.regions.objects.states import Side
from openstackoid.regions.schemas import message as schema
from openstackoid.regions.schemas.common import check
from openstackoid.trust import tokens


async def receive(call: Call) -> dict[str, Any]:
    """Take a message; says up to which number the sender's messages of this contract are here."""
    text = call.body["message"]
    if statements.is_one(text):
        return await call.control.statements.receive(text)
    sender = messages.sender(text)
    keys = await call.control.peers.keys(sender, tokens.key_id(text))
    payload = messages.verify(text, keys)
    check(payload, schema.PAYLOAD)
    message = Message.from_json(payload)
    # Who asks for a contract is its consumer, so of one that is not here yet we are the provider.
    contracts, now = call.control.contracts, int(time.time())
    contract = await asyncio.to_thread(contracts.receive, message, text, Side.PROVIDER, now)
    await call.control.changed()
    return {"contract": contract.id, "acknowledged": len(contract.theirs)}
