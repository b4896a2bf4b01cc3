"""Runs several requests in parallel. If one answer is decisive, the others are cancelled; if none is, all are awaited."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from openstackoid.oaktree.resources.kinds import Kind

_UUID: Final = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
# Kinds whose ids are not unique over clouds. The creator may choose the id, or a copy keeps it: glance-replicator's images, bare metal nodes, resource
# providers of placement. Regions of one cloud share the resources of their Keystone, and Keystones of several clouds may share one user directory.
_CHOSEN: Final = ("image.image", "compute.flavor", "compute.keypair", "baremetal.", "placement.", "identity.")


def unique(kind: Kind, resource_id: str) -> bool:
    """Whether no other cloud can have this id, since the service generated it."""
    return _UUID.fullmatch(resource_id) is not None and not kind.of_project and not kind.name.startswith(_CHOSEN)


async def outcomes(work: Sequence[Coroutine[Any, Any, Any]], decides: Callable[[Any], bool]) -> list[Any]:
    """Run coroutines in parallel. Returns their results or exceptions, in order; None for those cancelled after a decisive result.

    Args:
        work: the coroutines; they are cancelled with the caller.
        decides: whether a result is decisive, so that the others are not needed.
    """
    tasks = [asyncio.ensure_future(awaitable) for awaitable in work]
    waiting = set(tasks)
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if any(ended.exception() is None and decides(ended.result()) for ended in done if not ended.cancelled()):
                break
    finally:
        for late in waiting:
            late.add_done_callback(_seen)
            late.cancel()
    return [None if task in waiting else _outcome(task) for task in tasks]


def _outcome(task: asyncio.Task[Any]) -> Any:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or task.result()


def _seen(task: asyncio.Task[Any]) -> None:
    """Retrieve the exception of a task that nobody awaits, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()
