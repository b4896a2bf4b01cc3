"""Who a pseudonym is, for an abuse report of a provider. Nothing is kept to answer it: pseudonyms are computed again from the users that there are.

Each question is written to standard error, with the operator's id and the reason.
"""

import asyncio
import json
import sys
from typing import Any

from openstackoid.regions.control import now
from openstackoid.regions.errors import PartyError, UnknownPseudonymError
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects.states import Side
from openstackoid.trust import tokens


async def find(call: Call) -> dict[str, Any]:
    """The user or project of this cloud that a provider knows by a pseudonym under a contract."""
    catalog, _ = call.control.aggregator()
    identity = call.body["id"]
    contract = await asyncio.to_thread(call.control.contracts.get, call.path["contract"])
    if contract.side is not Side.CONSUMER:
        raise PartyError(
            f"{contract.peer} is the consumer of the contract {contract.id}: its operators know its users."
        )
    asked = {"event": "whois", "time": now(), "operator": call.operator.name, "contract": contract.id, "id": identity}
    asked["reason"] = call.body.get("reason", "")
    sys.stderr.write(f"{json.dumps(asked)}\n")
    sys.stderr.flush()
    party, keys = f"contract:{contract.id}", call.control.keys
    for user in await catalog.entities("users"):
        pseudonym = tokens.pseudonym(user["id"], party, keys)
        if identity in {pseudonym, tokens.local_user(party, pseudonym)}:
            return _found("user", user)
    for project in await catalog.entities("projects"):
        if identity == tokens.project_pseudonym(project["id"], party, keys):
            return _found("project", project)
    raise UnknownPseudonymError(
        f"No user and no project of {call.control.cloud} has this pseudonym under the contract."
    )


def _found(kind: str, entity: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "id": entity["id"], "name": entity["name"], "domain_id": entity["domain_id"]}
