"""Which items of a list are further members of a replica that is in it already."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from openstackoid.core.replication import thing_at
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.fanout.folding import Fold
from openstackoid.gateway.replicas.registry import Registry, Replica, counting
from openstackoid.storage.urls import StoreError

_DETAIL: Final = "/detail"  # nova's lists of whole resources
Whose: TypeAlias = Callable[[Sequence[Replica]], Awaitable[str | None]]


def folding(registry: Registry, call: Call, entry: str, whose: Whose) -> Fold | None:
    """What leaves further members out of a list; None if the list is of no kind that can be in several clouds.

    Args:
        registry: of replicas.
        call: the request for the list.
        entry: name of this cloud, whose member stands for all.
        whose: says which project the user is of, if it matters.
    """
    thing = thing_at(call.service, call.path.removesuffix(_DETAIL))
    if thing is None or thing.id is not None:
        return None
    kind = thing.kind.name

    async def fold(items: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        try:
            replicas = await asyncio.to_thread(registry.having, kind, {resource_id for _, resource_id in items})
        except StoreError:
            return set()  # a read needs no record
        left_out: set[tuple[str, str]] = set()
        for replica in counting(replicas, await whose(replicas)):
            members = [item for item in items if replica.members.get(item[0]) == item[1] and item not in left_out]
            members.sort(key=lambda item: item[0] != entry)
            left_out.update(members[1:])
        return left_out

    return fold
