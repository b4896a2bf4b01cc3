"""Requests that change something under a scope with operators: which cloud or clouds they go to.

    A & B, a create                     one in every cloud: a replica
    A & B, a member of a replica        all its members in these clouds
    A & B, anything else with an id     the one cloud that has it
    A | B, a create                     the first cloud that gets it
    A | B, anything with an id          the first cloud that has it

A change is never sent to a second cloud unless the first surely has not received it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from typing import Any, Final, TypeAlias

from aiohttp import web

from openstackoid.core.errors import NotBuiltError, OpenStackoidError, PeerError
from openstackoid.core.lists import listing
from openstackoid.core.plans import All, Alternatives, Target
from openstackoid.core.replication import Thing, refusal, thing_at
from openstackoid.core.user_data import is_upload
from openstackoid.gateway.entry.bodies import document, made
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.fanout.admission import Admission
from openstackoid.gateway.fanout.asking import Leg, MissedError, Reply, Turns
from openstackoid.gateway.fanout.finding import NOT_FOUND, find
from openstackoid.gateway.fanout.folding import Fold
from openstackoid.gateway.fanout.pace import Pace
from openstackoid.gateway.fanout.serving import to_owner, user_of
from openstackoid.gateway.replicas.asking import AskCall, Asker
from openstackoid.gateway.replicas.callers import Callers
from openstackoid.gateway.replicas.changing import Changing
from openstackoid.gateway.replicas.creating import Creating
from openstackoid.gateway.replicas.folding import folding
from openstackoid.gateway.replicas.pace import Patience
from openstackoid.gateway.replicas.reading import GO_ON_STATUS, in_order, member, member_left
from openstackoid.gateway.replicas.registry import Replica
from openstackoid.gateway.replicas.running import Runner
from openstackoid.gateway.replicas.uploading import upload
from openstackoid.gateway.replicas.wishes import WriteWishes
from openstackoid.gateway.settings.sections import Fanout
from openstackoid.storage.urls import StoreError

_THING: Final = re.compile(r"(/v\d{1,3}(?:\.\d{1,3})?(?:/[0-9a-f]{32})?/[A-Za-z_-]+)/[^/?]+")
PassOnCall: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]


class Writes:
    """Serves changes, and reads of replicas.

    Args:
        runner: of operations; None if the configuration has no place for them.
        settings: bounds of requests to several clouds.
        entry: name of this cloud.
        patience: how slow one cloud may be that takes data of an image.
        admission: bounds how many requests to several clouds run at a time.
    """

    def __init__(
        self, runner: Runner | None, settings: Fanout, entry: str, patience: Patience, admission: Admission
    ) -> None:
        self._admission = admission
        self._running: set[asyncio.Task[web.Response]] = set()
        self._runner = runner
        self._settings = settings
        self._patience = patience
        self._entry = entry
        callers = Callers()
        self._creating = Creating(runner, callers, entry) if runner else None
        self._changing = Changing(runner, callers, entry) if runner else None

    async def write(
        self, call: Call, plan: All | Alternatives, ask: AskCall, pass_on: PassOnCall
    ) -> web.StreamResponse:
        """Serve a change.

        Args:
            call: the request.
            plan: the clouds that its scope means.
            ask: sends a call to one cloud, and reads the whole answer.
            pass_on: sends a call to one cloud, and relays the answer to the client.

        Raises:
            OpenStackoidError: it was refused, or failed.
        """
        target_path = _thing_path(call)
        if isinstance(plan, Alternatives):
            targets = [_only(choice, call) for choice in plan.choices]
            if target_path is None:
                return await self._first(call, targets, ask)
            return await pass_on(to_owner(call, await self._having(call, target_path, targets, ask)))
        thing, asker = thing_at(call.service, call.path), Asker(call, ask)
        if thing is not None and thing.id is None and call.method == "POST":
            if self._creating is None:
                raise NotBuiltError(
                    "Creates in several clouds need operations.database in the configuration of this gateway. "
                    f"Name one cloud for {call.service}."
                )
            wishes = WriteWishes.of(call.request.headers)
            body = await document(call.request)
            return await self._placed(call, self._creating.create(thing, body, plan.targets, asker, wishes))
        if target_path is None:
            raise NotBuiltError(
                f"{call.method} {call.path} is not served of several clouds: {refusal(call.service, call.method, call.path)}. "
                f"Name one cloud for {call.service}."
            )
        replica = await self._replica(thing, plan.targets, asker)
        if replica is not None and thing is not None and self._changing is not None:
            wishes, query = WriteWishes.of(call.request.headers), call.route.path.partition("?")[2]
            if is_upload(call.service, call.method, call.path) and thing.rest == "/file":
                return await upload(thing, replica, plan.targets, asker, wishes.policy, self._patience)
            body = await document(call.request)
            change = self._changing.change(thing, replica, query, body, plan.targets, asker, wishes)
            return await self._placed(call, change)
        async with self._place(call):
            owner = await self._owner(target_path, plan.targets, asker)
        return await pass_on(to_owner(call, owner))

    async def read(
        self, call: Call, plan: All | Alternatives, ask: AskCall, pass_on: PassOnCall
    ) -> web.StreamResponse | None:
        """Serve a read of a replica's member: of the cloud that has this id, or of another member's, if that cloud fails.

        Returns:
            The answer; None if it is no member of a replica.
        """
        thing = thing_at(call.service, call.path)
        if not isinstance(plan, All) or thing is None or thing.id is None or self._changing is None:
            return None
        asker = Asker(call, ask)
        try:
            replica = await self._changing.shown(thing, plan.targets, asker)
            deleted = None if replica else await self._changing.deleted(thing, plan.targets, asker)
        except StoreError:
            return None  # a read needs no record: the member is found as any other resource is
        if replica is not None:
            return await member(call, thing, replica, in_order(thing, replica, plan.targets, self._entry), pass_on)
        if deleted is not None:
            return await member_left(call, thing, deleted, in_order(thing, deleted, plan.targets, self._entry), ask)
        return None

    def fold(self, call: Call, plan: All | Alternatives, ask: AskCall) -> Fold | None:
        """What leaves further members of replicas out of a list by name (`fanout.folding`)."""
        if self._runner is None or self._changing is None:
            return None
        changing, first = self._changing, plan if isinstance(plan, All) else plan.choices[0]
        target = first.targets[0] if isinstance(first, All) else first.target

        async def whose(replicas: Sequence[Replica]) -> str | None:
            return await changing.project(replicas, target, Asker(call, ask))

        return folding(self._runner.registry, call, self._entry, whose)

    def _place(self, call: Call) -> AbstractAsyncContextManager[None]:
        """A place among the requests to several clouds; FanOutsError if none becomes free in time."""
        deadline = asyncio.get_running_loop().time() + self._settings.timeout
        return self._admission.place(user_of(call), deadline)

    async def _placed(self, call: Call, change: Coroutine[Any, Any, web.Response]) -> web.Response:
        """Run a change in a place, waited for before anything is on record. It keeps the place to its end, also if the client goes away."""
        async with AsyncExitStack() as waiting:
            waiting.callback(change.close)  # if it never begins
            await waiting.enter_async_context(self._place(call))
            held = waiting.pop_all()

        async def run() -> web.Response:
            async with held:
                return await change

        task = asyncio.create_task(run())
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[web.Response]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the one who waits for it may be gone

    async def _replica(self, thing: Thing | None, targets: Sequence[Target], asker: Asker) -> Replica | None:
        if self._changing is None or thing is None or thing.id is None:
            return None
        return await self._changing.replica(thing, targets, asker)

    async def _first(self, call: Call, targets: Sequence[Target], ask: AskCall) -> web.StreamResponse:
        """Send a request to the first cloud that gets it."""
        body = await document(call.request)
        headers = call.headers.copy()
        request = made(call.method, headers, body if call.request.body_exists else None)
        for target in targets[:-1]:
            try:
                return await ask(replace(to_owner(call, target), request=request))
            except OpenStackoidError as error:
                if error.received:
                    raise
        return await ask(replace(to_owner(call, targets[-1]), request=request))

    async def _having(self, call: Call, path: str, targets: Sequence[Target], ask: AskCall) -> Target:
        """The first cloud that has a resource.

        Raises:
            MissedError: none has it, and not all answered.
        """
        asker, missed = Asker(call, ask), []
        for target in targets:
            try:
                reply = await asker.send(target, "GET", path)
            except PeerError as error:
                missed.append(Leg(target.cloud, None, error.code, str(error), 0.0))
                continue
            if reply.status not in GO_ON_STATUS | {NOT_FOUND}:
                return target
        if missed:
            raise MissedError(f"Nobody who answered has it; but not all did. {missed[0].message}", missed)
        return targets[-1]

    async def _owner(self, path: str, targets: Sequence[Target], asker: Asker) -> Target:
        """The one cloud that has a resource.

        Raises:
            AmbiguousError: several have it.
            MissedError: not all clouds answered, and those that did have not.
        """

        async def question(target: Target, inner: str) -> Reply:
            return await asker.send(target, "GET", inner)

        deadline = asyncio.get_running_loop().time() + self._settings.timeout
        turns = Turns(Pace(self._settings.at_once), asyncio.Lock())
        owner = await find(targets, path, question, deadline, turns)
        return next(target for target in targets if target.cloud == owner.leg.cloud)


def _thing_path(call: Call) -> str | None:
    """The path of the resource that a request is about; None if it is about no resource with an id."""
    thing = _THING.match(call.path)
    return thing[0] if thing and listing(call.service, thing[1]) is not None else None


def _only(choice: object, call: Call) -> Target:
    if isinstance(choice, All):
        raise NotBuiltError(
            f"A change is not served under & inside of |. Name the clouds of {call.service} with & alone, or with | alone."
        )
    return choice.target  # type: ignore[attr-defined,no-any-return]
