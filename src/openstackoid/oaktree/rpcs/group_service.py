"""`GroupService`: creates resources of several kinds that refer to each other, in every cloud-region of a request."""

import contextlib
import functools
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Final

from oaktree.v1 import group_pb2_grpc
from oaktree.v1.common_pb2 import CreateOptions, Progress
from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import CreateResourceRequest, CreateResourceResponse, Resource
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Caller
from openstackoid.oaktree.access.requests import Request, checked
from openstackoid.oaktree.chain.building import Building
from openstackoid.oaktree.chain.chains import Chain
from openstackoid.oaktree.creates.groups import Member, parse
from openstackoid.oaktree.creates.plans import LONGEST, checked_key
from openstackoid.oaktree.resources.methods import methods
from openstackoid.oaktree.resources.structs import put_object
from openstackoid.oaktree.rpcs.context import RpcContext
from openstackoid.oaktree.rpcs.verbs import Engine, Verbs
from openstackoid.oaktree.upstream.calls import Call

_USUAL: Final = 3600.0
_SHORTEST: Final = 1.0


class GroupService(group_pb2_grpc.GroupServiceServicer):
    """The handler."""

    def __init__(self, engine: Engine) -> None:
        """Use the services of a worker."""
        self._engine: Final = engine
        self._chain: Final = Chain(Verbs(engine), engine.oaktrees, engine.deadlines)
        self._method: Final = next(method for method in methods() if method.request is CreateResourceRequest)

    async def BuildGroup(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the rpc's name
        """Yield the steps, the resources, then the summary."""
        async with RpcContext(context) as call:
            caller = await self._engine.authenticate(context)
            members = parse(request.members)
            options = request.options
            if options.detach:
                raise errors.invalid(
                    "options.detach", "expected false: a group is built by its call; repeat it with its key"
                )
            seconds = options.timeout.ToTimedelta().total_seconds() if options.HasField("timeout") else _USUAL
            if not 0 < seconds <= LONGEST:
                raise errors.invalid(
                    "options.timeout", f"expected more than 0 s and at most {LONGEST:.0f} s, got {seconds:g} s"
                )
            key = checked_key(options.idempotency_key)
            check = functools.partial(self._checked, caller, call)
            # The kinds, the policy and the locations, before anything is created.
            asked = [check(request.locations, Resource(kind=part.kind), CreateOptions()) for part in members]
            places = await self._places(asked[0], request.locations)
            requests: dict[tuple[bytes, str, int], Request] = {}
            end = time.monotonic() + seconds

            def create(
                place: Location, member: Member, index: int, attributes: Mapping[str, Any]
            ) -> AsyncGenerator[CreateResourceResponse, None]:
                resource = Resource(kind=member.kind)
                put_object(resource.attributes, dict(attributes))
                made = CreateOptions(wait=True, idempotency_key=_key(key, member, index, place))
                made.timeout.FromMilliseconds(int(max(_SHORTEST, end - time.monotonic()) * 1000))
                asked = requests[_id(place), member.name, index] = check([place], resource, made)
                return self._chain.create(asked)

            async def undo(place: Location, member: Member, index: int, operation: str) -> Sequence[Progress]:
                return await self._chain.undo(requests[_id(place), member.name, index], operation)

            building = Building(members, places, create, undo)
            async with contextlib.aclosing(building.run(undo_on_failure=options.undo_on_failure)) as answers:
                async for answer in answers:
                    yield answer

    def _checked(
        self, caller: Caller, call: Call, locations: Sequence[Location], resource: Resource, options: CreateOptions
    ) -> Request:
        message = CreateResourceRequest(locations=locations, resource=resource, options=options)
        return checked(self._method, message, caller, call, self._engine.kinds)

    async def _places(self, request: Request, locations: Sequence[Location]) -> list[Location]:
        """The cloud-regions of a request, here and at other oaktrees, each once, with the requested project."""
        places: dict[bytes, Location] = {}
        for index, wanted in enumerate(locations or [Location()]):
            if wanted.zone:
                raise errors.invalid(
                    f"locations[{index}].zone", "expected none: give the zone as an attribute of a member"
                )
            for region in request.caller.regions([wanted]):
                place = Location()
                place.CopyFrom(wanted)
                place.cloud, place.region = region.key
                places[_id(place)] = place
            remote = request.caller.remote_parts([wanted] if locations else [])
            if remote and (wanted.project or wanted.project_id):
                raise errors.invalid(f"locations[{index}].project", "expected none for clouds of other oaktrees")
            for part in remote:
                for cloud in await self._engine.oaktrees.clouds(part, request.call.left()):
                    place = Location(cloud=cloud.location.cloud, region=cloud.location.region)
                    places[_id(place)] = place
        return list(places.values())


def _id(place: Location) -> bytes:
    return place.SerializeToString(deterministic=True)


def _key(key: str, member: Member, index: int, place: Location) -> str:
    """The key of one create; empty if the request has none."""
    if not key:
        return ""
    parts = (key, member.name, str(index), _id(place).hex())
    return f"group-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:48]}"
