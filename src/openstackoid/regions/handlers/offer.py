"""Offers: ours to peers, and peers' to our operators."""

import asyncio
from typing import Any, Final

from openstackoid.core.errors import BadRequestError
from openstackoid.core.scope import is_name
from openstackoid.regions.errors import RequirementError, UnknownRegionError
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects import requirement as requirements
from openstackoid.regions.objects.offer import Offer, compare, ordered
from openstackoid.regions.schemas import metadata

_DEFAULT_SORT: Final = "price"
_MOST_COMPARED: Final = 16


async def list_all(call: Call) -> dict[str, Any]:
    """A provider's offers: `?provider=CloudP&require=location.country=FR&sort=price`."""
    provider = call.query.get("provider", "")
    if not is_name(provider):
        raise BadRequestError("Expected ?provider= with the name of a peer.")
    requirement = None
    if text := call.query.get("require"):
        requirement = requirements.parse(text)
        for path in sorted(requirements.paths(requirement)):
            if not metadata.is_path(path):
                raise RequirementError(f"metadata has nothing at {path}", text, max(0, text.find(path)))
    sort = call.query.get("sort", _DEFAULT_SORT)
    if not metadata.is_path(sort):
        raise BadRequestError(f"Expected ?sort= with a path of metadata such as price, got {sort[:64]!r}.")
    answer = await call.control.peers.offers(provider)
    offers = [Offer(provider, document, metadata.plain(document["metadata"])) for document in answer["offers"]]
    chosen = ordered((offer for offer in offers if offer.meets(requirement)), sort)
    return {"provider": provider, "offers": [dict(offer.document) for offer in chosen]}


async def compare_some(call: Call) -> dict[str, Any]:
    """Where offers differ: `?offers=CloudP/north,CloudQ/south`."""
    labels = call.query.get("offers", "").split(",")
    if not 1 < len(labels) <= _MOST_COMPARED:
        raise BadRequestError(
            f"Expected ?offers= with 2 to {_MOST_COMPARED} of PROVIDER/NAME, with commas between them."
        )
    chosen = []
    for label in labels:
        provider, _, name = label.partition("/")
        if not is_name(provider):
            raise BadRequestError(f"Expected PROVIDER/NAME, got {label[:128]!r}.")
        documents = (await call.control.peers.offers(provider))["offers"]
        found = [document for document in documents if document["name"] == name]
        if not found:
            raise UnknownRegionError(f"{provider} offers no virtual region {name[:64]!r}.")
        chosen.append(Offer(provider, found[0], metadata.plain(found[0]["metadata"])))
    return {"offers": labels, "differences": compare(chosen)}


async def to_peer(call: Call) -> dict[str, Any]:
    """What is offered to the peer whose control plane asks."""
    peer = await call.control.peers.caller(call.assertion)
    regions = await asyncio.to_thread(call.control.regions.all)
    return {
        "provider": call.control.cloud,
        "offers": [region.offer() for region in regions if region.is_offered_to(peer)],
    }
