"""What of a contract's quota is leased to which project of this cloud, for the operators of the provider."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from openstackoid.core.region_quota import QUOTAS
from openstackoid.regions.errors import PartyError
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects.states import Side
from openstackoid.regions.objects.terms import format_time


async def list_all(call: Call) -> dict[str, Any]:
    """The leases of a contract, by project and name of the quota."""
    contract = await asyncio.to_thread(call.control.contracts.summary, call.path["contract"])
    if contract.side is not Side.PROVIDER:
        raise PartyError(f"{contract.peer} is the provider of the contract {contract.id}: it leases the quota there.")
    if call.control.leases is None:
        return {"leases": []}
    found = await asyncio.to_thread(call.control.leases.leases, contract.id, QUOTAS)
    return {
        "leases": [
            {
                "project": lease.project,
                "name": lease.name,
                "granted": lease.granted,
                "used": lease.used,
                "counted_at": _time(lease.counted),
                "in_force": lease.settled,
            }
            for lease in sorted(found, key=lambda lease: (lease.project, lease.name))
        ]
    }


def _time(milliseconds: int) -> str | None:
    """A time of the database (Unix milliseconds); None for 0, which is none."""
    return format_time(datetime.fromtimestamp(milliseconds // 1000, UTC)) if milliseconds else None
