"""Virtual regions, for the provider's operators."""

import asyncio
from typing import Any

from openstackoid.regions.control import new_id, now
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects.states import RegionEvent
from openstackoid.regions.objects.virtual_region import VirtualRegion
from openstackoid.regions.schemas import metadata


async def list_all(call: Call) -> dict[str, Any]:
    """All regions; retired ones with `?retired=true`."""
    regions = await asyncio.to_thread(call.control.regions.all, retired=call.query.get("retired") == "true")
    return {"virtual_regions": [await _shown(call, region) for region in regions]}


async def create(call: Call) -> dict[str, Any]:
    """A draft."""
    region = VirtualRegion.create(new_id(), call.body, now())
    await asyncio.to_thread(call.control.owners, region)  # of a region that is bound
    return await _shown(call, await asyncio.to_thread(call.control.regions.create, region, call.operator.name))


async def show(call: Call) -> dict[str, Any]:
    """One region, by id or name."""
    return await _shown(call, await asyncio.to_thread(call.control.regions.get, call.path["virtual_region"]))


async def update(call: Call) -> dict[str, Any]:
    """The next version."""
    changes = {name: value for name, value in call.body.items() if name != "version"}
    reference, version = call.path["virtual_region"], call.body["version"]
    regions = call.control.regions
    return await _shown(
        call, await asyncio.to_thread(regions.change, reference, version, changes, now(), call.operator.name)
    )


async def set_metadata(call: Call) -> dict[str, Any]:
    """The next version, with newer values of its metadata; what is not named stays."""
    regions, reference = call.control.regions, call.path["virtual_region"]
    region = await asyncio.to_thread(regions.get, reference)
    newer = metadata.dated(call.body["values"], call.body["source"], now())
    changes = {"metadata": metadata.merge(region.metadata, newer)}
    return await _shown(
        call, await asyncio.to_thread(regions.change, region.id, region.version, changes, now(), call.operator.name)
    )


async def delete(call: Call) -> dict[str, Any]:
    """Retire it: contracts that are over go on naming it."""
    return await _cause(call, RegionEvent.RETIRE)


async def offer(call: Call) -> dict[str, Any]:
    """Offer it to all peers, or to those named."""
    return await _cause(call, RegionEvent.OFFER)


async def withdraw(call: Call) -> dict[str, Any]:
    """Offer it to nobody any more; contracts go on."""
    return await _cause(call, RegionEvent.WITHDRAW)


async def history(call: Call) -> dict[str, Any]:
    """Who changed it when."""
    region = await asyncio.to_thread(call.control.regions.get, call.path["virtual_region"])
    return {"events": await asyncio.to_thread(call.control.regions.history, region.id)}


async def _cause(call: Call, event: RegionEvent) -> dict[str, Any]:
    peers = tuple(call.body.get("peers", ()))
    reference, regions = call.path["virtual_region"], call.control.regions
    region = await asyncio.to_thread(regions.cause, reference, event, now(), call.operator.name, peers)
    return await _shown(call, region)


async def _shown(call: Call, region: VirtualRegion) -> dict[str, Any]:
    contracts = await asyncio.to_thread(call.control.regions.contracts, region.id)
    return {**region.to_json(), "contracts": contracts}
