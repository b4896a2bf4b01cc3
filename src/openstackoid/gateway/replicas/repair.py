"""Brings the members of a replica in line with each other and with the record.

1. Changes on record that wait for a cloud go first, in their order. While one is open, nothing else is done: it is the later write.
2. A member that was not deleted on record, and that its cloud does not have, is created anew (`core.replication.comparing`), an image is copied.
3. Members that differ get what was written last, by our record: `core.replication.last_write`.
4. A replica that no cloud has a member of is forgotten. Nothing is ever deleted here.
"""

import asyncio
import functools
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from openstackoid.core import scope as scopes
from openstackoid.core.errors import BadRequestError, NotReplicableError, OpenStackoidError
from openstackoid.core.plans import Target
from openstackoid.core.replication import Kind, kind_named
from openstackoid.core.replication.comparing import COMPARED, differing, newest, shows, to_create, to_mend
from openstackoid.core.replication.copying import original
from openstackoid.core.replication.last_write import bounded, model
from openstackoid.core.replication.references import body_of
from openstackoid.core.scope import REST, Name, Scope
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.replicas import registry
from openstackoid.gateway.replicas.asking import JSON, Asker, parsed
from openstackoid.gateway.replicas.copy import PATCH, Copy
from openstackoid.gateway.replicas.creation import Creation
from openstackoid.gateway.replicas.records import Policy, Work, location_of
from openstackoid.gateway.replicas.registry import Replica
from openstackoid.gateway.replicas.running import Runner
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.replicas.steps import NOT_FOUND, Steps
from openstackoid.gateway.replicas.translating import LISTS, Translator, path_of
from openstackoid.operations.stages import Stage

SAME: Final = frozenset({"same", "changed", "created", "gone"})  # states of members that need nothing more


@dataclass(frozen=True, slots=True)
class State:
    """One member, after a repair.

    Attributes:
        state: same, changed, created, gone; differs, missing, or waits if nothing could be done; else the code of an error.
        fields: that were changed, or that differ.
    """

    cloud: str
    id: str
    state: str
    fields: tuple[str, ...] = ()


class Repair:
    """Repairs replicas.

    Args:
        runner: of operations.
        entry: name of this cloud.
    """

    def __init__(self, runner: Runner, entry: str) -> None:
        self._runner = runner
        self._entry = entry

    async def repair(
        self,
        replica: Replica,
        caller: str,
        asker: Asker,
        wrote: Mapping[str, Any] | None = None,
        source: str | None = None,
    ) -> list[State]:
        """Repair one replica.

        Args:
            replica: as it was read.
            caller: PROJECT/USER, of the replica's project.
            asker: asks clouds on behalf of the user.
            wrote: what the user has written, if nobody has asked for this repair: the members get nothing else then, whatever a cloud says of
                its own and of its time.
            source: the cloud whose member the others are made alike to, if the user names one.

        Returns:
            The state of each member, by cloud.

        Raises:
            BadRequestError: `source` has no member, or does not show it.
            StoreError: the database failed.
        """
        if source is not None and source not in replica.members:
            raise BadRequestError(f"Expected one of {', '.join(replica.members)} at from, got {source[:64]!r}.")
        for operation in await self._runner.on(replica.id):
            await self._runner.resume(operation, asker if operation.caller == caller else None, waiting=True)
        left = await self._runner.on(replica.id)
        current = await asyncio.to_thread(self._runner.registry.get, replica.owner, replica.id)
        if current is None:
            return [State(cloud, name, "gone") for cloud, name in replica.members.items()]
        if left:
            return [State(cloud, name, "waits") for cloud, name in current.members.items()]
        return await _Members(self._runner, self._entry, current, caller, asker).repair(wrote, source)


class _Members:
    """The members of one replica."""

    def __init__(self, runner: Runner, entry: str, replica: Replica, caller: str, asker: Asker) -> None:
        self._runner = runner
        self._entry = entry
        self._replica = replica
        self._caller = caller
        self._asker = asker
        self._kind: Kind = kind_named(replica.kind)

    async def repair(self, wrote: Mapping[str, Any] | None, source: str | None) -> list[State]:
        members, began = self._replica.members, time.time()
        shown = await asyncio.gather(*(self.show(cloud, name) for cloud, name in members.items()))
        looked = dict(zip(members, shown, strict=True))
        there = {cloud: one for cloud, one in looked.items() if isinstance(one, dict)}
        if not there and all(one == "missing" for one in looked.values()):
            await asyncio.to_thread(self._runner.registry.forget, self._replica.owner, self._replica.id)
            return [State(cloud, name, "gone") for cloud, name in members.items()]
        if not there:
            return [State(cloud, members[cloud], str(one)) for cloud, one in looked.items()]
        if source is not None and source not in there:
            raise BadRequestError(f"{source} does not show its member: {looked[source]}. Nothing was repaired.")
        if wrote is None:
            base, resource = model(there, self._entry, self._replica.written, source)
        else:
            having = {cloud: one for cloud, one in there.items() if shows(one, wrote)}
            if not having:  # a later write has reached all
                return [State(cloud, members[cloud], "same") for cloud in looked]
            base = self._entry if self._entry in having else newest(having, self._entry)
            resource = there[base]

        async def mend(cloud: str, one: dict[str, Any] | str) -> tuple[State, float]:
            state = await self._mend(cloud, one, base, resource, wrote)
            return state, began if state.state == "same" else time.time()

        mended = await asyncio.gather(*(mend(cloud, one) for cloud, one in looked.items()))
        reached = (at for state, at in mended if state.cloud == self._entry and state.state in SAME)
        await self._record(resource, next(reached, None), wrote, source)
        return [state for state, _ in mended]

    async def _record(
        self, resource: dict[str, Any], at: float | None, wrote: Mapping[str, Any] | None, source: str | None
    ) -> None:
        """Record what the members were made alike to: it is the last write now, unless there was another one meanwhile.

        `at` is when the entry cloud's member had it; None if it has not. Others may take hours, as copies of images do.
        """
        known = self._replica.written.values if self._replica.written else {}
        fields = known.keys() if source is None else COMPARED[self._kind.name].changed
        if wrote is not None:
            fields = wrote.keys()
        values = bounded({name: resource[name] for name in fields if name in resource})
        if at is None and source is None:  # when the entry cloud got its fields does not change
            values = {name: value for name, value in values.items() if name not in known or known[name] != value}

        def change(before: Mapping[str, Any]) -> Mapping[str, Any] | None:
            return {**before, **values} if before == known else None

        if values:
            write = functools.partial(registry.write, replica=self._replica.id, change=change, arrived=values, at=at)
            await asyncio.to_thread(self._runner.registry.change, write)

    async def show(self, cloud: str, name: str) -> dict[str, Any] | str:
        """A member as its cloud shows it; "missing", or the code of an error."""
        try:
            reply = await self._ask(cloud, "GET", path_of(LISTS[self._kind.name], name))
        except TimeoutError:
            return "peer.timeout"
        except OpenStackoidError as error:
            return error.code
        resource = body_of(self._kind, parsed(reply)) if reply.good else None
        if resource is not None:
            return resource
        return "missing" if reply.status == NOT_FOUND else f"status.{reply.status}"

    async def _mend(
        self,
        cloud: str,
        shown: dict[str, Any] | str,
        base: str,
        resource: dict[str, Any],
        wrote: Mapping[str, Any] | None,
    ) -> State:
        name = self._replica.members[cloud]
        if shown == "missing":
            return await self._create(cloud, base, resource)
        if isinstance(shown, str):
            return State(cloud, name, shown)
        changed, fixed = differing(self._kind, resource, shown)
        if wrote is not None:
            changed, fixed = [field for field in changed if field in wrote], []
        if changed and self._kind.update:
            document = to_mend(self._kind, resource, changed)
            try:
                path = path_of(LISTS[self._kind.name], name)
                reply = await self._ask(cloud, self._kind.update, path, document)
            except TimeoutError:
                return State(cloud, name, "peer.timeout")
            except OpenStackoidError as error:
                return State(cloud, name, error.code)
            if not reply.good:
                return State(cloud, name, f"status.{reply.status}", tuple(changed))
        if fixed:
            return State(cloud, name, "differs", tuple(fixed))
        return State(cloud, name, "changed" if changed else "same", tuple(changed))

    async def _create(self, cloud: str, base: str, shown: dict[str, Any]) -> State:
        """Create a member anew, as an operation on record: nothing is doubled if the answer is lost, or this gateway dies."""
        name, target = self._replica.members[cloud], self._target(cloud)
        token, headers = self._asker.call.auth or "", list(self._asker.call.headers.items())
        try:
            if self._kind.name == "image.image":
                image = original(base, shown)
                documents = [image.to_json(), scopes.format(self._target(base).scope)]
                work, policy = Work.COPY, Policy.KEEP
            else:
                document = to_create(self._kind, shown)
                if document is None:
                    return State(cloud, name, "missing")
                translator = Translator(self._runner.registry, self._asker, self._replica.owner, by_name=False)
                documents = await translator.documents(self._kind, document, [target])
                work, policy = Work.CREATE, Policy.UNDO
        except NotReplicableError:
            return State(cloud, name, "missing")
        except OpenStackoidError as error:
            return State(cloud, name, error.code)
        request = Request(token, headers, self._kind.service, "POST", LISTS[self._kind.name], "", JSON, documents)
        more = {
            "replica": self._replica.id,
            "intent": f"{work} {policy}",
            "sealed": self._runner.seals.seal(request),
        }
        store, places = self._runner.store, [location_of(target)]
        operation, _ = await asyncio.to_thread(
            store.begin, self._caller, None, secrets.token_hex(32), self._kind.name, places, more
        )
        steps = Steps(operation, request, self._asker, self._runner.means)
        await self._runner.run(operation, Copy(steps).run if work is Work.COPY else Creation(steps).run)
        (part,) = steps.parts
        if part.stage is Stage.DONE:
            return State(cloud, part.resource_id, "created")
        return State(cloud, name, part.code or "waits")

    async def _ask(self, cloud: str, method: str, path: str, document: Any = None) -> Reply:
        content_type = PATCH if method == "PATCH" else JSON
        service = self._kind.service
        async with asyncio.timeout(self._runner.means.timeout):
            return await self._asker.send(
                self._target(cloud), method, path, document, service=service, content_type=content_type
            )

    def _target(self, cloud: str) -> Target:
        return target_of(self._kind, cloud, self._entry)


def target_of(kind: Kind, cloud: str, entry: str) -> Target:
    """A cloud, and the scope of requests about its member of a replica."""
    return Target(cloud, Scope.of({REST: Name(entry), kind.service: Name(cloud), "identity": Name(entry)}))


async def members_shown(
    runner: Runner, entry: str, replica: Replica, caller: str, asker: Asker
) -> dict[str, dict[str, Any] | str]:
    """Each member as its cloud shows it, or why it does not."""
    members = _Members(runner, entry, replica, caller, asker)
    shown = await asyncio.gather(*(members.show(cloud, name) for cloud, name in replica.members.items()))
    return dict(zip(replica.members, shown, strict=True))
