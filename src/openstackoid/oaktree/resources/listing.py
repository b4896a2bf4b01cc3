"""Lists of many clouds at once: each cloud's items as they come, then a summary of what did not answer and why."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, cast

from google.protobuf.message import Message

from oaktree.v1.common_pb2 import CloudResult, Summary
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses
from openstackoid.oaktree.locations import chosen, holds
from openstackoid.oaktree.resources import cached_lists, repeating
from openstackoid.oaktree.resources.cached_lists import CachePolicy
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.filters import Filters
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.resources.repeating import Repeats
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.oaktree.upstream.turns import TURNS

# Messages of one answer: large enough that what each answer costs does not count, small enough for gRPC's 4 MiB.
_BATCH: Final = 250
# Answers that wait for a slow reader, for each call: more, and the clouds are read more slowly.
_WAITING: Final = 8
_LOOK: Final = 0.5  # seconds between looks whether a slow reader is still there
# Of a caller's deadline, this much is kept for telling what did not answer in time.
_KEPT: Final = 0.05


@dataclass(frozen=True)
class Lists:
    """One call to list."""

    kind: Kind
    codec: Codec
    regions: Sequence[Region]
    locations: Sequence[Location]  # as the caller gave them
    filters: Filters = field(default_factory=Filters)
    parents: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0  # seconds, for each cloud
    memory: CachePolicy | None = None
    repeats: Repeats | None = None  # without, openstacksdk asks each time


@dataclass
class _Part:
    """One cloud-region's part."""

    region: Region
    items: int = 0
    last: str | None = None  # where its next page starts
    error: BaseException | None = None
    elapsed: float = 0.0
    remembered_at: float | None = None  # seconds since the epoch, if it was not asked for this call


async def listed(ask: Lists, call: Call, threads: ThreadPoolExecutor) -> AsyncIterator[list[Message] | Summary]:
    """The messages of each cloud-region, in batches, as they come; then the summary.

    Raises:
        asyncio.CancelledError: the caller has gone; what was under way is given up.
    """
    waiting: asyncio.Queue[list[Message] | _Part] = asyncio.Queue(_WAITING)
    started = time.monotonic()
    parts = [_Part(region) for region in _turn(ask)]
    tasks = [asyncio.create_task(_ask(ask, part, call, threads, waiting)) for part in parts]
    try:
        kept: list[Message] = []
        left = len(parts)
        while left:
            together: list[Message] = []
            for found in await _waiting(waiting):
                if isinstance(found, _Part):
                    found.elapsed = time.monotonic() - started
                    left -= 1
                elif ask.filters.order:
                    kept += found
                elif len(together) + len(found) <= _BATCH:
                    together += found
                else:
                    yield together
                    together = found
            if together:
                yield together
        page: dict[str, Any] = {_name(part.region): part.last for part in parts if part.last}
        if ask.filters.order:
            page = {}
            kept = await in_thread(call, threads, ask.filters.sorted, kept)
            first = int(ask.filters.page.get("offset", 0))
            end = first + (ask.filters.page_size or len(kept))
            for index in range(first, min(end, len(kept)), _BATCH):
                yield kept[index : min(index + _BATCH, end)]
            if end < len(kept):
                page = {"offset": end}
        yield _summary(ask, parts, page)
    finally:
        for task in tasks:
            task.cancel()


async def _waiting(queue: asyncio.Queue[Any]) -> list[Any]:
    """What waits in a queue: something, and what else has come meanwhile."""
    found = [await queue.get()]
    with contextlib.suppress(asyncio.QueueEmpty):
        while True:
            found.append(queue.get_nowait())
    return found


def _turn(ask: Lists) -> list[Region]:
    """Whom to ask: on later pages only those who have more."""
    if ask.filters.page and not ask.filters.order:
        return [region for region in ask.regions if _name(region) in ask.filters.page]
    return list(ask.regions)


def _name(region: Region) -> str:
    return "\n".join((*region.key, region.identity[:16]))


async def _ask(ask: Lists, part: _Part, call: Call, threads: ThreadPoolExecutor, waiting: asyncio.Queue[Any]) -> None:
    here = call.to(*part.region.key, timeout=ask.timeout, kept=_KEPT)
    loop = asyncio.get_running_loop()

    def give(messages: list[Message]) -> None:
        # From the thread: it goes on reading when there is room for what it has read, or ends with the call.
        put = asyncio.run_coroutine_threadsafe(waiting.put(messages), loop)
        while not put.done():
            with TURNS.resting(), contextlib.suppress(TimeoutError):
                put.result(_LOOK)
            if not put.done() and (here.cancelled or here.left() == 0.0):
                put.cancel()
                here.check()

    try:
        messages = await _again(ask, part, here)
        if messages is None:
            messages = await in_thread(here, threads, _read, ask, part, give)
        for start in range(0, len(messages), _BATCH):
            await waiting.put(messages[start : start + _BATCH])
    except Exception as error:  # noqa: BLE001 - whatever one cloud does harms its own results only
        part.error = error
    await waiting.put(part)


async def _again(ask: Lists, part: _Part, here: Call) -> list[Message] | None:
    """The items of a list that was asked for before, if its answer is as plain as it was; None if openstacksdk must read it."""
    if ask.repeats is None or ask.memory or _size(ask):
        return None
    found = await ask.repeats.ask(ask.kind, ask.codec, part.region, _asked(ask, part), here)
    return None if found is None else _wanted(ask, part, found, None)


def _read(ask: Lists, part: _Part, give: Any) -> list[Message]:
    """One cloud-region's items, in its thread; gives all batches but the last."""
    if ask.memory and not _size(ask):
        return _wanted(ask, part, _remembered(ask, part), give)
    with TURNS.running():
        found = _wanted(ask, part, items(ask, part), give)
        if not _size(ask):
            repeating.learn(ask.kind, part.region, _asked(ask, part))
        return found


def _wanted(ask: Lists, part: _Part, found: Iterable[Message], give: Any) -> list[Message]:
    batch: list[Message] = []
    for message in found:
        if not _keeps(ask, message):
            continue
        batch.append(message)
        part.items += 1
        if len(batch) >= _BATCH and give is not None:
            give(batch)
            batch = []
    return batch


def _remembered(ask: Lists, part: _Part) -> Iterator[Message]:
    """The same, as they were a moment ago, if that will do."""
    memory = ask.memory
    assert memory is not None  # noqa: S101 - for the types
    began = time.time()
    found = memory.cache.get(
        cached_lists.key(part.region.identity, ask.kind.name, ask.codec.message, ask.filters.sent, ask.parents),
        lambda: _packed(ask, part.region),
        max_age=memory.max_age,
        refresh=memory.refresh,
    )
    if found.asked_at < began:
        part.remembered_at = found.asked_at
    return cached_lists.unpack(ask.codec.message, found.value)


def _packed(ask: Lists, region: Region) -> bytes:
    with TURNS.running():
        return cached_lists.pack(items(ask, _Part(region)))


def _keeps(ask: Lists, message: Message) -> bool:
    location = cast("Any", message).location
    return ask.filters.keeps(message) and (
        not ask.locations or any(holds(each, location) for each in chosen(ask.locations, location))
    )


def _size(ask: Lists) -> int:
    """Items that one cloud-region gives at most; 0 for all."""
    return 0 if ask.filters.order else ask.filters.page_size


def items(ask: Lists, part: _Part) -> Iterator[Message]:
    """One cloud-region's messages, before what is compared here. Blocks; raises what openstacksdk does."""
    region = part.region
    proxy = ask.kind.proxy(region.connect())
    place = region.place()
    size = _size(ask)
    count = 0
    raw: Any = None
    for raw in ask.kind.raw.list(proxy, **_asked(ask, part)):
        count += 1
        yield ask.codec.encode(raw.json, place)
    if size and count >= size and raw is not None:
        part.last = str(raw.id)


def _asked(ask: Lists, part: _Part) -> dict[str, Any]:
    """What openstacksdk is asked for."""
    asked: dict[str, Any] = {**ask.filters.sent, **ask.parents}
    if size := _size(ask):
        asked["max_items"] = size
        if marker := ask.filters.page.get(_name(part.region)):
            asked["marker"] = marker
    if ask.kind.list_path:
        asked["base_path"] = ask.kind.list_path
    return asked


def _summary(ask: Lists, parts: Sequence[_Part], page: Mapping[str, Any]) -> Summary:
    summary = Summary(next_page_token=ask.filters.token(page))
    for part in parts:
        result = CloudResult(location=part.region.location, items=part.items)
        result.elapsed.FromNanoseconds(int(part.elapsed * 1e9))
        if part.remembered_at is not None:
            result.remembered_at.FromNanoseconds(int(part.remembered_at * 1e9))
        if part.error is not None:
            cloud, region = part.region.key
            status = statuses.status(
                part.error, cloud=cloud, region=region, service=ask.kind.service, as_server=not part.region.bearer
            )
            result.error.CopyFrom(status)
        summary.results.append(result)
    return summary
