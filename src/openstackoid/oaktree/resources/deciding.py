"""Several are asked at the same time; one answer may decide, and the others are given up. Where none does, all are waited for."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from openstackoid.oaktree.resources.kinds import Kind

_UUID: Final = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
# Who creates these may choose their ids, or copies keep them: glance-replicator's images, nodes of bare metal, providers of placement. Regions of one
# cloud share the resources of their Keystone, and Keystones of several clouds one directory of users.
_CHOSEN: Final = ("image.image", "compute.flavor", "compute.keypair", "baremetal.", "placement.", "identity.")


def unique(kind: Kind, resource_id: str) -> bool:
    """Whether no other cloud can have this id: its service made it up."""
    return _UUID.fullmatch(resource_id) is not None and not kind.of_project and not kind.name.startswith(_CHOSEN)


async def outcomes(work: Sequence[Coroutine[Any, Any, Any]], decides: Callable[[Any], bool]) -> list[Any]:
    """What each gives or raises, in their order; None for those that are given up since another has decided.

    Args:
        work: what is done at the same time; it ends with the caller.
        decides: whether something that came makes the rest needless.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    waiting = set(tasks)
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if any(each.exception() is None and decides(each.result()) for each in done if not each.cancelled()):
                break
    finally:
        for each in waiting:
            each.add_done_callback(_seen)
            each.cancel()
    return [None if each in waiting else _outcome(each) for each in tasks]


def _outcome(task: asyncio.Task[Any]) -> Any:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or task.result()


def _seen(task: asyncio.Task[Any]) -> None:
    """Nobody waits for its error."""
    if not task.cancelled():
        task.exception()
