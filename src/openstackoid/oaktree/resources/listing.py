"""Lists over many clouds: the items of each cloud as they arrive, then a summary of the clouds that failed, with their errors."""

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

# Messages per response: large enough that the overhead per response is negligible, small enough for gRPC's 4 MiB.
_BATCH: Final = 250
# Maximum number of responses in the queue of a call with a slow reader; when it is full, reading from the clouds pauses.
_WAITING: Final = 8
_LOOK: Final = 0.5  # seconds between checks whether a slow reader is still connected
# The share of a caller's deadline that is reserved for reporting the clouds that did not answer in time.
_KEPT: Final = 0.05


@dataclass(frozen=True)
class Lists:
    """The parameters of one list call."""

    kind: Kind
    codec: Codec
    regions: Sequence[Region]
    locations: Sequence[Location]  # as in the request
    filters: Filters = field(default_factory=Filters)
    parents: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0  # seconds, for each cloud
    memory: CachePolicy | None = None
    repeats: Repeats | None = None  # without it, openstacksdk sends every request


@dataclass
class _Part:
    """The part of one cloud-region."""

    region: Region
    items: int = 0
    last: str | None = None  # marker of its next page
    error: BaseException | None = None
    elapsed: float = 0.0
    remembered_at: float | None = None  # time of a cached answer, in seconds since the epoch; None if the answer is new


async def listed(ask: Lists, call: Call, threads: ThreadPoolExecutor) -> AsyncIterator[list[Message] | Summary]:
    """Yield the messages of each cloud-region in batches, as they arrive; then the summary.

    Raises:
        asyncio.CancelledError: the caller cancelled; the requests in progress are cancelled.
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
            for batch in await _waiting(waiting):
                if isinstance(batch, _Part):
                    batch.elapsed = time.monotonic() - started
                    left -= 1
                elif ask.filters.order:
                    kept += batch
                elif len(together) + len(batch) <= _BATCH:
                    together += batch
                else:
                    yield together
                    together = batch
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
    """Wait for an item of a queue. Returns it with all other items that are already in the queue."""
    ready = [await queue.get()]
    with contextlib.suppress(asyncio.QueueEmpty):
        while True:
            ready.append(queue.get_nowait())
    return ready


def _turn(ask: Lists) -> list[Region]:
    """The cloud-regions to query: on later pages only those that have more items."""
    if ask.filters.page and not ask.filters.order:
        return [region for region in ask.regions if _name(region) in ask.filters.page]
    return list(ask.regions)


def _name(region: Region) -> str:
    return "\n".join((*region.key, region.identity[:16]))


async def _ask(ask: Lists, part: _Part, call: Call, threads: ThreadPoolExecutor, waiting: asyncio.Queue[Any]) -> None:
    here = call.to(*part.region.key, timeout=ask.timeout, kept=_KEPT)
    loop = asyncio.get_running_loop()

    def give(messages: list[Message]) -> None:
        # Runs in the thread: blocks until the queue has room, or raises when the call ends.
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
    except Exception as error:  # noqa: BLE001 - an error of one cloud affects only its own results
        part.error = error
    await waiting.put(part)


async def _again(ask: Lists, part: _Part, here: Call) -> list[Message] | None:
    """Repeat a recorded list request on the event loop. Returns its items, or None if openstacksdk must send the request or read the answer."""
    if ask.repeats is None or ask.memory or _size(ask):
        return None
    answer = await ask.repeats.ask(ask.kind, ask.codec, part.region, _asked(ask, part), here)
    return None if answer is None else _wanted(ask, part, answer, None)


def _read(ask: Lists, part: _Part, give: Any) -> list[Message]:
    """Read one cloud-region's items, in a thread. Passes all batches but the last to `give`, and returns the last."""
    if ask.memory and not _size(ask):
        return _wanted(ask, part, _remembered(ask, part), give)
    with TURNS.running():
        messages = _wanted(ask, part, items(ask, part), give)
        if not _size(ask):
            repeating.learn(ask.kind, part.region, _asked(ask, part))
        return messages


def _wanted(ask: Lists, part: _Part, messages: Iterable[Message], give: Any) -> list[Message]:
    batch: list[Message] = []
    for message in messages:
        if not _keeps(ask, message):
            continue
        batch.append(message)
        part.items += 1
        if len(batch) >= _BATCH and give is not None:
            give(batch)
            batch = []
    return batch


def _remembered(ask: Lists, part: _Part) -> Iterator[Message]:
    """The items from the cache, if the cached answer is recent enough; else from the cloud."""
    memory = ask.memory
    assert memory is not None  # noqa: S101 - for the types
    began = time.time()
    remembered = memory.cache.get(
        cached_lists.key(part.region.identity, ask.kind.name, ask.codec.message, ask.filters.sent, ask.parents),
        lambda: _packed(ask, part.region),
        max_age=memory.max_age,
        refresh=memory.refresh,
    )
    if remembered.asked_at < began:
        part.remembered_at = remembered.asked_at
    return cached_lists.unpack(ask.codec.message, remembered.value)


def _packed(ask: Lists, region: Region) -> bytes:
    with TURNS.running():
        return cached_lists.pack(items(ask, _Part(region)))


def _keeps(ask: Lists, message: Message) -> bool:
    location = cast("Any", message).location
    return ask.filters.keeps(message) and (
        not ask.locations or any(holds(region, location) for region in chosen(ask.locations, location))
    )


def _size(ask: Lists) -> int:
    """Maximum number of items of one cloud-region; 0 for all."""
    return 0 if ask.filters.order else ask.filters.page_size


def items(ask: Lists, part: _Part) -> Iterator[Message]:
    """One cloud-region's messages, before local filters. Blocks; raises openstacksdk's errors."""
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
    """The arguments of openstacksdk's list."""
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
