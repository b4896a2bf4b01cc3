"""Offers: ours to peers, and peers' to our operators."""

import asyncio
import contextlib
from typing import Any, Final

from openstackoid.core.errors import BadRequestError
from openstackoid.core.scope import is_name
from openstackoid.regions.control import Control
from openstackoid.regions.errors import RequirementError, UnknownBindingError, UnknownRegionError
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
        matches = [document for document in documents if document["name"] == name]
        if not matches:
            raise UnknownRegionError(f"{provider} offers no virtual region {name[:64]!r}.")
        chosen.append(Offer(provider, matches[0], metadata.plain(matches[0]["metadata"])))
    return {"offers": labels, "differences": compare(chosen)}


async def to_peer(call: Call) -> dict[str, Any]:
    """What is offered to the peer whose control plane asks."""
    peer = await call.control.peers.caller(call.assertion)
    offers = await asyncio.to_thread(_offers, call.control, peer)
    return {"provider": call.control.cloud, "offers": offers}


def _offers(control: Control, peer: str) -> list[dict[str, Any]]:
    """What a peer sees: no region that comes from it, and none that is not bound any more."""
    offers = []
    for region in control.regions.all():
        if not region.is_offered_to(peer):
            continue
        with contextlib.suppress(UnknownBindingError):
            owners = control.owners(region)
            if peer not in owners:
                offers.append(region.offer() | ({"owners": list(owners)} if owners else {}))
    return offers
