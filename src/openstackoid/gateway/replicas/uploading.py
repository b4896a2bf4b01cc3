"""The data of an image, to all members of its replica in one pass."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web

from openstackoid.core.errors import OpenStackoidError, PeerTimeoutError, ReplicaFailedError, ReplicaRefusedError
from openstackoid.core.partial import CLOUD, write_members, write_missing
from openstackoid.core.plans import Target
from openstackoid.core.replication import Thing
from openstackoid.gateway.entry.bodies import send_continue
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.replicas.asking import Asker, reason
from openstackoid.gateway.replicas.pace import Patience
from openstackoid.gateway.replicas.records import Policy
from openstackoid.gateway.replicas.registry import Replica
from openstackoid.gateway.replicas.tee import Branch, Streamed, pour
from openstackoid.gateway.replicas.translating import path_of

if TYPE_CHECKING:
    from multidict import CIMultiDict

# Of the client's request, but about its own connection or its own answer.
_OF_CLIENT: Final = ("Expect", "Accept-Encoding", "Idempotency-Key")
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class _Result:
    """Of one cloud: its answer, or why there is none."""

    cloud: str
    reply: Reply | None = None
    error: OpenStackoidError | None = None

    @property
    def good(self) -> bool:
        return self.reply is not None and self.reply.good

    @property
    def code(self) -> str:
        return self.error.code if self.error else f"status.{self.reply.status}" if self.reply else ""

    @property
    def why(self) -> str:
        return str(self.error) if self.error else f"{reason(self.reply, self.cloud)}." if self.reply else ""


async def upload(
    thing: Thing, replica: Replica, targets: Sequence[Target], asker: Asker, policy: Policy, patience: Patience
) -> web.Response:
    """Send image data to all members of a replica in these clouds, at the pace of the slowest.

    Args:
        thing: the image, with `/file`.
        replica: that it is of.
        targets: the clouds.
        asker: asks them on behalf of the user; its call has the data.
        policy: `keep` if the data of some clouds will do.
        patience: how slow one cloud may be; then it is left behind.

    Returns:
        The answer of one cloud; members that have not got the data are named beside it.

    Raises:
        ReplicaRefusedError, ReplicaFailedError: a cloud has not got the data.
        OSError: the client went away; the clouds' uploads are broken off.
    """
    inside = [target for target in targets if target.cloud in replica.members]
    request = asker.call.request
    await send_continue(request)
    branches = [Branch(target.cloud, patience) for target in inside]
    tasks = [
        asyncio.create_task(_send(thing, replica, target, asker, branch))
        for target, branch in zip(inside, branches, strict=True)
    ]
    try:
        await pour(request.content.iter_any(), list(zip(branches, tasks, strict=True)))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)  # their connections are closed
    results = [
        _result(target.cloud, task, branch) for target, task, branch in zip(inside, tasks, branches, strict=True)
    ]
    return _answer(results, replica, policy)


async def _send(thing: Thing, replica: Replica, target: Target, asker: Asker, branch: Branch) -> Reply:
    call = asker.call
    headers: CIMultiDict[str] = call.headers.copy()
    for name in _OF_CLIENT:
        headers.popall(name, None)
    headers["Accept-Encoding"] = "identity"
    path = path_of(thing.collection, replica.members[target.cloud]) + thing.rest
    return await asker.put(target, path, Streamed(call.method, headers, call.request.content_length, branch))


def _result(cloud: str, task: asyncio.Task[Reply], branch: Branch) -> _Result:
    if task.cancelled():
        return _Result(cloud, error=branch.error or PeerTimeoutError(f"{cloud} did not take all data."))
    error = task.exception()
    if isinstance(error, OpenStackoidError):
        return _Result(cloud, error=error)
    return _Result(cloud, task.result())


def _answer(results: Sequence[_Result], replica: Replica, policy: Policy) -> web.Response:
    good = [result for result in results if result.good]
    wrong = [result for result in results if not result.good]
    if wrong and (not good or policy is not Policy.KEEP):
        has = f"The data is complete in {', '.join(result.cloud for result in good)}. " if good else ""
        text = f"{' '.join(result.why for result in wrong)} {has}Delete the image in all clouds, or upload its data to those that lack it."
        refused = all(result.reply is not None and result.reply.status < _SERVER_ERROR for result in wrong)
        raise (ReplicaRefusedError if refused else ReplicaFailedError)(text)
    lead = good[0]
    reply = cast("Reply", lead.reply)
    headers: CIMultiDict[Any] = reply.headers.copy()
    headers.popall("Content-Length", None)
    headers[CLOUD] = lead.cloud
    headers.update(write_members(replica.id, replica.members))
    headers.update(write_missing([(result.cloud, result.code) for result in wrong]))
    return web.Response(status=reply.status, headers=headers, body=reply.body or None)
