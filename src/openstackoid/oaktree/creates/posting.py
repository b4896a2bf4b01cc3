"""The requests of a create to one cloud: preparation, the create itself, and its deletion. Blocking functions run in a thread of the call."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import openstack.exceptions as sdk
from google.protobuf.message import Message

from openstackoid.oaktree import answers, errors
from openstackoid.oaktree.creates import floating_ips, reconciling
from openstackoid.oaktree.creates.outcomes import NotCreatedError
from openstackoid.oaktree.creates.plans import SECRET, Plan
from openstackoid.oaktree.creates.records import Part
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.resources.recording import as_raw, recording
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.upstream.regions import Region

_LOG: Final = logging.getLogger(__name__)
# Kinds whose response to a create contains little more than the id.
_SPARSE: Final = frozenset({"compute.server", "orchestration.stack"})
# Secrets that a cloud generates, and returns only once.
_ONCE: Final = ("adminPass", "private_key")
AGAIN: Final = 1.0  # seconds between two requests


@dataclass(frozen=True)
class Seek:
    """A request for the states of one resource, for as long as they are read."""

    kind: Kind
    codec: Codec
    region: Region
    id: str
    parents: Mapping[str, str]
    call: Call  # the states end with this call


# Yields the states of a resource: the current one at once, then each change. An end, or an error for which `answers.absent` is true, means
# that the resource was deleted.
Watch = Callable[[Seek], AsyncGenerator[Message, None]]


def prepare(plan: Plan, region: Region, wanted: Mapping[str, Any]) -> list[str] | None:
    """Authenticate, find the service, and list resources that already look like the one to create, if a lookup will need them. Blocks.

    If this fails, the create was not sent: its outcome is certain.
    """
    region.place()
    plan.kind.proxy(region.connect())
    return reconciling.before(plan.kind, region, wanted)


def post(plan: Plan, region: Region, attributes: Mapping[str, Any], until: float) -> tuple[str, Message]:
    """Create the resource. Returns its id, and the resource. Blocks; raises openstacksdk's errors.

    Args:
        plan: the plan of the create.
        region: the cloud-region.
        attributes: the attributes, with the mark.
        until: a time of `time.monotonic()` after which nothing is sent: another worker may have taken over.

    Raises:
        NotCreatedError: `until` has passed.
        errors.AnswerError: the response contains no id.
    """
    cls = recording(plan.kind.cls)
    proxy = plan.kind.proxy(region.connect())
    made = cls.new(connection=region.connect(), **{**attributes, **plan.parents})
    if time.monotonic() > until:
        raise NotCreatedError("the server was stopped before it sent the request: try again")
    made = made.create(proxy)
    if not made.id and (cls.allow_fetch or cls.allow_list):
        raise errors.AnswerError(f"the answer to the create of {plan.kind.name} names no id")
    raw = as_raw(made)
    if plan.kind.name in _SPARSE:
        once = {name: raw[name] for name in _ONCE if raw.get(name)}
        try:
            raw = as_raw(cls.existing(id=made.id, connection=region.connect(), **plan.parents).fetch(proxy)) | once
        except Exception:  # noqa: BLE001 - it was created: use the known attributes
            _LOG.info("%s was created, and could not be read again at once", plan.kind.name)
    known = plan.kind.attributes.by_name
    for name in attributes:
        wire = known[name].wire if name in known else name
        if SECRET.search(name) and wire not in _ONCE:
            raw.pop(name, None)
            raw.pop(wire, None)
    return str(made.id or ""), plan.codec.encode(raw, region.place())


async def fetch(seek: Seek, threads: ThreadPoolExecutor) -> Message:
    """Get the resource; if it does not exist, raises an error for which `answers.absent` is true."""

    def read() -> Message:
        wanted = recording(seek.kind.cls).existing(id=seek.id, connection=seek.region.connect(), **seek.parents)
        resource = wanted.fetch(seek.kind.proxy(seek.region.connect()))
        return seek.codec.encode(as_raw(resource), seek.region.place())

    return await in_thread(seek.call, threads, read)


async def delete(kind: Kind, region: Region, part: Part, call: Call, threads: ThreadPoolExecutor) -> None:
    """Delete the resource that a part created; does nothing if it no longer exists.

    Clouds refuse to delete a resource that is being created (HTTP 400 and 409 of a volume or load balancer), and the breaker refuses requests to
    a cloud that has just failed: the delete is retried until the call's deadline.
    """
    parents = (part.sought or {}).get("parents", {})

    def now() -> None:
        floating_ips.remove(region, part.sought or {})
        wanted = kind.cls.existing(id=part.resource_id, connection=region.connect(), **parents)
        try:
            wanted.delete(kind.proxy(region.connect()))
        except sdk.HttpException as error:
            if not answers.absent(error):
                raise

    while True:
        try:
            return await in_thread(call, threads, now)
        except (sdk.BadRequestException, sdk.ConflictException, errors.LeftAloneError, errors.RateError):
            left = call.left()
            if left is None or left < AGAIN:
                raise
            await asyncio.sleep(AGAIN)
