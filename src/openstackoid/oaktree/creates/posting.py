"""What a create asks of one cloud: before it, the create itself, and what takes it back. What blocks runs in a thread of the call."""

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
# Their answers to a create say little more than the id.
_SPARSE: Final = frozenset({"compute.server", "orchestration.stack"})
# Secrets that a cloud makes up, and tells once.
_ONCE: Final = ("adminPass", "private_key")
AGAIN: Final = 1.0  # seconds between two looks


@dataclass(frozen=True)
class Seek:
    """One resource whose states are wanted, as long as somebody reads them."""

    kind: Kind
    codec: Codec
    region: Region
    id: str
    parents: Mapping[str, str]
    call: Call  # ends with it


# The states of a resource, the first at once, then each change. An error that `answers.absent` is true for, or an end, means that it is gone.
Watch = Callable[[Seek], AsyncGenerator[Message, None]]


def prepare(plan: Plan, region: Region, wanted: Mapping[str, Any]) -> list[str] | None:
    """Authenticate, find the service, and list what looks like it already, if that will be needed. Blocks.

    What fails here was never sent, and nothing about it is in doubt.
    """
    region.place()
    plan.kind.proxy(region.connect())
    return reconciling.before(plan.kind, region, wanted)


def post(plan: Plan, region: Region, attributes: Mapping[str, Any], until: float) -> tuple[str, Message]:
    """Create it; the id, and what it is. Blocks; raises what openstacksdk does.

    Args:
        plan: what is created.
        region: where.
        attributes: with the mark.
        until: after this, as `time.monotonic()` has it, nothing is sent: another worker may have taken over.

    Raises:
        NotCreatedError: it was too late.
        errors.AnswerError: the answer names no id.
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
        except Exception:  # noqa: BLE001 - it was created: what is known of it has to do
            _LOG.info("%s was created, and could not be read again at once", plan.kind.name)
    known = plan.kind.attributes.by_name
    for name in attributes:
        wire = known[name].wire if name in known else name
        if SECRET.search(name) and wire not in _ONCE:
            raw.pop(name, None)
            raw.pop(wire, None)
    return str(made.id or ""), plan.codec.encode(raw, region.place())


async def fetch(seek: Seek, threads: ThreadPoolExecutor) -> Message:
    """What it is now; raises an error that `answers.absent` is true for if it is gone."""

    def read() -> Message:
        wanted = recording(seek.kind.cls).existing(id=seek.id, connection=seek.region.connect(), **seek.parents)
        found = wanted.fetch(seek.kind.proxy(seek.region.connect()))
        return seek.codec.encode(as_raw(found), seek.region.place())

    return await in_thread(seek.call, threads, read)


async def delete(kind: Kind, region: Region, part: Part, call: Call, threads: ThreadPoolExecutor) -> None:
    """Delete what a part created; what is not there any more is fine.

    While something is being made, clouds refuse to delete it (HTTP 400 and 409 of a volume or load balancer), and one that has just failed is
    left alone for a moment: asked again until the call's deadline.
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
