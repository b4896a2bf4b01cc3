"""A project's replicas, for `openstack replica`: listed, shown, checked in each cloud, repaired, adopted, forgotten.

GET    /openstackoid/v1/replicas                   all of them, and the operations that are not done yet
GET    /openstackoid/v1/replicas?id=ID&check=1     one, and whether each cloud has its member now
POST   /openstackoid/v1/replicas?id=ID             repairs one, see `repair`; the state of each member; from=CLOUD: as that cloud's member
POST   /openstackoid/v1/replicas                   makes one of resources that are there, see `adopting`
DELETE /openstackoid/v1/replicas?id=ID             forgets one; its members stay in their clouds
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from openstackoid.core.errors import OpenStackoidError, RoutingError
from openstackoid.core.plans import Known, Target
from openstackoid.core.protocol import AUTH, REPLICAS_PATH
from openstackoid.core.replication import kind_named
from openstackoid.core.scope import REST, Name, Scope
from openstackoid.gateway.api.answers import answered
from openstackoid.gateway.api.endpoints import Audience, Endpoint, Question
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.entry.bodies import document
from openstackoid.gateway.replicas.adopting import adopt
from openstackoid.gateway.replicas.asking import JSON, Asker
from openstackoid.gateway.replicas.callers import Callers
from openstackoid.gateway.replicas.creating import read_json
from openstackoid.gateway.replicas.records import Operation
from openstackoid.gateway.replicas.registry import Replica
from openstackoid.gateway.replicas.repair import Repair, State
from openstackoid.gateway.replicas.running import Restore, Runner
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.replicas.steps import NOT_FOUND
from openstackoid.gateway.replicas.translating import LISTS, path_of

_METHODS: Final = frozenset({"GET", "POST", "DELETE"})
_CREATED: Final = 201


class NoSuchReplicaError(RoutingError):
    """The project has no replica of this id."""

    status = 404
    code = "replica.missing"


class Listing:
    """Answers about replicas.

    Args:
        runner: of operations.
        restore: makes what asks clouds on behalf of a user.
        known: the clouds that are known now.
    """

    def __init__(self, runner: Runner, restore: Restore, known: Callable[[], Known]) -> None:
        self._runner = runner
        self._restore = restore
        self._known = known
        self._callers = Callers()

    def endpoints(self) -> list[Endpoint]:
        """The rows of the gateway's table of paths."""
        return [Endpoint(REPLICAS_PATH, _METHODS, Audience.USERS, self._answer)]

    async def _answer(self, question: Question) -> dict[str, Any] | web.Response:
        request, registry, known = question.request, self._runner.registry, self._known()
        token, _ = hdrs.split_token(request.headers.get(AUTH))
        asker = self._restore(Request(token or "", (), "identity", "GET", "/", "", JSON, ()))
        caller = await self._callers.of(asker, Target(known.entry, _scope("identity", known.entry, known.entry)))
        owner, name = caller.partition("/")[0], request.query.get("id")
        if name is None and request.method == "POST":
            adopted = await adopt(self._runner, known, read_json(await document(request)), caller, asker)
            response = answered({"replica": _shown(adopted)})
            response.set_status(_CREATED)
            return response
        if name is None and request.method == "GET":
            replicas = await asyncio.to_thread(registry.of, owner)
            names = await asyncio.to_thread(registry.open, owner)
            operations = [await asyncio.to_thread(self._runner.store.get, *one) for one in names]
            return {
                "replicas": [_shown(replica) for replica in replicas],
                "operations": [_operation(one) for one in operations if one is not None and not one.done],
            }
        replica = await asyncio.to_thread(registry.get, owner, name or "")
        if replica is None:
            raise NoSuchReplicaError("Your project has no such replica. `openstack replica list` shows all.")
        if request.method == "DELETE":
            await asyncio.to_thread(registry.forget, owner, replica.id)
            return web.Response(status=204)
        if request.method == "POST":
            source = request.query.get("from")
            repaired = await Repair(self._runner, known.entry).repair(replica, caller, asker, source=source)
            return {"replica": {"id": replica.id, "kind": replica.kind, "members": [_state(one) for one in repaired]}}
        states = await self._states(replica, asker) if "check" in request.query else {}
        return {"replica": _shown(replica, states)}

    async def _states(self, replica: Replica, asker: Asker) -> dict[str, str]:
        """Cloud -> "there", "missing", or the code of the error."""
        kind = kind_named(replica.kind)

        async def state(cloud: str, resource_id: str) -> str:
            path = path_of(LISTS[kind.name], resource_id)
            try:
                async with asyncio.timeout(self._runner.means.timeout):
                    target = Target(cloud, _scope(kind.service, cloud, self._known().entry))
                    reply = await asker.send(target, "GET", path, service=kind.service)
            except TimeoutError:
                return "peer.timeout"
            except OpenStackoidError as error:
                return error.code
            if reply.status == NOT_FOUND:
                return "missing"
            return "there" if reply.good else f"status.{reply.status}"

        states = await asyncio.gather(*(state(*member) for member in replica.members.items()))
        return dict(zip(replica.members, states, strict=True))


def _scope(service: str, cloud: str, entry: str) -> Scope:
    return Scope.of({REST: Name(entry), service: Name(cloud), "identity": Name(entry)})


def _state(state: State) -> dict[str, Any]:
    return {"cloud": state.cloud, "id": state.id, "state": state.state, "fields": list(state.fields)}


def _shown(replica: Replica, states: dict[str, str] | None = None) -> dict[str, Any]:
    members = [
        {"cloud": cloud, "id": resource_id} | ({"state": states[cloud]} if states else {})
        for cloud, resource_id in replica.members.items()
    ]
    return {"id": replica.id, "kind": replica.kind, "created_at": replica.created_at, "members": members}


def _operation(operation: Operation) -> dict[str, Any]:
    clouds = [
        {"cloud": part.cloud, "stage": part.stage.name.lower(), "error": part.code, "message": part.error}
        for part in operation.parts
    ]
    return {
        "id": operation.id,
        "replica": operation.replica,
        "kind": operation.kind,
        "does": operation.work.value,
        "created_at": operation.created_at,
        "clouds": clouds,
    }
