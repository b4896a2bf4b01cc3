"""A read of one member of a replica: of the cloud that has this id, or of another member's, if that cloud fails."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from aiohttp import web

from openstackoid.core.errors import OpenStackoidError, PeerError
from openstackoid.core.partial import write_members
from openstackoid.core.plans import Target
from openstackoid.core.replication import Thing
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.fanout.finding import NOT_FOUND
from openstackoid.gateway.fanout.serving import to_owner
from openstackoid.gateway.replicas.registry import Replica
from openstackoid.gateway.replicas.translating import path_of

GO_ON_STATUS: Final = frozenset({502, 503, 504})  # no service answered, at most a proxy in front of it
_FAILED: Final = 400
_DELETED: Final = "DELETED"  # nova's status of a server in the moment before it is gone


def in_order(thing: Thing, replica: Replica, targets: Sequence[Target], entry: str) -> list[Target]:
    """The clouds with a member, in the order in which they are asked: the one with the id that the client names, the user's own, the others."""
    members = [target for target in targets if target.cloud in replica.members]
    return sorted(members, key=lambda one: (replica.members[one.cloud] != thing.id, one.cloud != entry))


async def member(
    call: Call,
    thing: Thing,
    replica: Replica,
    targets: Sequence[Target],
    pass_on: Callable[[Call], Awaitable[web.StreamResponse]],
) -> web.StreamResponse | None:
    """The first answer with a member.

    Args:
        call: the request.
        thing: that it is about.
        replica: that this is a member of.
        targets: clouds with a member, in order.
        pass_on: sends a call to one cloud, and relays the answer to the client.

    Returns:
        The answer; None if no cloud shows the user a member: a replica of others, who chose its id, hides no resource of another cloud.

    Raises:
        PeerError: no cloud answered.
    """
    response: web.StreamResponse | None = None
    failure: OpenStackoidError | None = None
    for target in targets:
        try:
            response = await pass_on(_to(call, thing, replica, target))
        except PeerError as error:
            failure = error
            continue
        if response.prepared:
            return response
        if response.status in GO_ON_STATUS or response.status == NOT_FOUND:
            continue
        _add_members(response, replica)
        return response
    if response is None and failure is not None:
        raise failure
    return None if response is not None and response.status == NOT_FOUND else response


async def member_left(
    call: Call,
    thing: Thing,
    replica: Replica,
    targets: Sequence[Target],
    ask: Callable[[Call], Awaitable[web.Response]],
) -> web.Response | None:
    """The first answer with a member that its cloud has not deleted yet, though it has taken the DELETE.

    Args:
        call: the request.
        thing: that it is about.
        replica: of deleted members.
        targets: clouds that had a member, in order.
        ask: sends a call to one cloud, and reads the whole answer.

    Returns:
        The answer; None if no cloud has a member. One in the status DELETED is shown only if all are: clients stop waiting there.
    """
    last: web.Response | None = None
    for target in targets:
        try:
            response = await ask(_to(call, thing, replica, target))
        except PeerError:
            continue
        if response.status in GO_ON_STATUS or response.status == NOT_FOUND:
            continue
        if not _says_deleted(thing, response):
            _add_members(response, replica)
            return response
        last = response
    return last


def _to(call: Call, thing: Thing, replica: Replica, target: Target) -> Call:
    query = call.route.path[len(call.path) :]
    path = f"{path_of(thing.collection, replica.members[target.cloud])}{thing.rest}{query}"
    one = to_owner(call, target)
    return replace(one, route=replace(one.route, path=path))


def _add_members(response: web.StreamResponse, replica: Replica) -> None:
    if response.status < _FAILED:
        response.headers.update(write_members(replica.id, replica.members))


def _says_deleted(thing: Thing, response: web.Response) -> bool:
    try:
        document = json.loads(response.body) if isinstance(response.body, bytes) else None
    except (ValueError, RecursionError):
        return False
    item = document.get(thing.kind.item) if isinstance(document, dict) else None
    return isinstance(item, dict) and item.get("status") == _DELETED
