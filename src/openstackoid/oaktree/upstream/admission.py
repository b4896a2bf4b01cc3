"""A limit of the operations that are in progress at once in a cloud-region, fair between callers.

An operation (a create, until its resource is ready if the caller waits for that) gets a ticket, waits until the ticket is admitted, and gives it back at
its end. The next free place goes to the caller with the fewest operations in progress there; if there are several, to the ticket that has waited longest. So a caller
with a thousand operations delays another caller's only one by one place, not by a thousand.

All workers that share a Redis have one queue for each cloud-region: a hash of tickets, each with an end that its worker extends. The tickets of
a dead worker end. Without a Redis, and while it is unavailable, each worker admits its share: the limit divided by the number of workers.
"""

import asyncio
import contextlib
import json
import math
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from openstackoid.rates.shared import AwayError, Shared

# Seconds between two looks at the shared queue while tickets wait.
_POLL: Final = 0.25
# Seconds after which a ticket ends that its worker does not extend.
_LEASE: Final = 15.0


@dataclass(frozen=True)
class Entry:
    """A ticket in a queue. Times are seconds, by one clock for all tickets.

    Attributes:
        caller: the name of the caller.
        turn: the number of its turn.
        since: when it joined the queue.
        until: when it ends, unless its worker extends it.
        admitted: whether it holds a place.
    """

    caller: str
    turn: int
    since: float
    until: float = math.inf
    admitted: bool = False


def turn_of(entries: Mapping[str, Entry], caller: str) -> int:
    """The number of the turn of the next ticket of a caller. Pure."""
    first = min((entry.turn for entry in entries.values()), default=0)
    now = max((entry.turn for entry in entries.values() if entry.admitted), default=first)
    return max(now, 1 + max((entry.turn for entry in entries.values() if entry.caller == caller), default=-1))


def admissible(entries: Mapping[str, Entry], most: int) -> list[str]:
    """The ids of the tickets to admit next, in this order. Pure.

    Args:
        entries: all tickets of the queue, by id.
        most: maximum number of admitted tickets.
    """
    running = Counter(entry.caller for entry in entries.values() if entry.admitted)
    waiting = {name: entry for name, entry in entries.items() if not entry.admitted}
    chosen: list[str] = []
    while waiting and running.total() < most:
        name = min(waiting, key=lambda name: _rank(waiting[name], running))
        running[waiting.pop(name).caller] += 1
        chosen.append(name)
    return chosen


def _rank(entry: Entry, running: Counter[str]) -> tuple[int, int, float]:
    return running[entry.caller], entry.turn, entry.since


@dataclass(eq=False)
class Ticket:
    """One operation's ticket. `admitted` is done when it holds a place."""

    caller: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    admitted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Admission:
    """The queues of all cloud-regions. For use in one event loop."""

    def __init__(
        self,
        most: Callable[[str, str], int | None] = lambda *_: None,
        shared: Shared | None = None,
        *,
        workers: int = 1,
    ) -> None:
        """Create it without tickets.

        Args:
            most: gives the limit of a cloud-region (cloud, region); None for no limit.
            shared: the Redis that all workers share; None for none.
            workers: number of workers that share the limits.
        """
        self._most: Final = most
        self._shared: Final = shared
        self._workers: Final = workers
        self._queues: Final[dict[tuple[str, str], _Queue]] = {}

    @contextlib.asynccontextmanager
    async def ticket(self, cloud: str, region: str, caller: str) -> AsyncIterator[Ticket]:
        """Join the queue of a cloud-region with a ticket, which leaves it at the end of the context."""
        made = Ticket(caller)
        most = self._most(cloud, region)
        if most is None:
            made.admitted.set_result(None)
            yield made
            return
        key = (cloud, region)
        if key not in self._queues:
            share = max(1, most // self._workers)
            self._queues[key] = (
                _Queue(share) if self._shared is None else _SharedQueue(share, most, f"{cloud}/{region}", self._shared)
            )
        queue = self._queues[key]
        queue.join(made)
        try:
            yield made
        finally:
            queue.leave(made)


class _Queue:
    """The tickets of this worker for one cloud-region."""

    def __init__(self, share: int) -> None:
        self._share: Final = share
        self._tickets: Final[dict[str, Ticket]] = {}
        self._entries: Final[dict[str, Entry]] = {}

    def join(self, ticket: Ticket) -> None:
        self._tickets[ticket.id] = ticket
        self._entries[ticket.id] = Entry(
            ticket.caller, turn_of(self._entries, ticket.caller), asyncio.get_running_loop().time()
        )
        self._changed()

    def leave(self, ticket: Ticket) -> None:
        del self._tickets[ticket.id], self._entries[ticket.id]
        self._changed()

    def _changed(self) -> None:
        self._admit(admissible(self._entries, self._share))

    def _admit(self, names: Iterable[str]) -> None:
        for name in names:
            self._entries[name] = replace(self._entries[name], admitted=True)
            if not self._tickets[name].admitted.done():
                self._tickets[name].admitted.set_result(None)


class _SharedQueue(_Queue):
    """The same for one of several workers: a task compares its tickets with those of all workers."""

    def __init__(self, share: int, most: int, name: str, shared: Shared) -> None:
        super().__init__(share)
        self._most: Final = most
        self._key: Final = f"oaktree:operations:{name}"
        self._shared: Final = shared
        self._left: Final[set[str]] = set()  # tickets that may still be in the shared queue
        self._woken: Final = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def leave(self, ticket: Ticket) -> None:
        self._left.add(ticket.id)
        super().leave(ticket)

    def _changed(self) -> None:
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._compare())

    async def _compare(self) -> None:
        """Compare this worker's tickets with the shared queue again and again, until there are none."""
        while self._entries or self._left:
            self._woken.clear()
            own, left = dict(self._entries), frozenset(self._left)
            try:
                chosen = await asyncio.to_thread(self._shared.ask, partial(self._exchange, own, left))
            except AwayError:
                self._left.clear()  # their ends will pass
                self._admit(admissible(self._entries, self._share))
            except _RaceError:
                pass  # another worker has written at the same time: the next look tries again
            else:
                self._left.difference_update(left)
                self._admit(set(chosen) & self._entries.keys())
            busy = self._left or not all(entry.admitted for entry in self._entries.values())
            if self._entries or self._left:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL if busy else _LEASE / 3):
                        await self._woken.wait()

    def _exchange(self, own: Mapping[str, Entry], left: frozenset[str]) -> list[str]:
        """Write this worker's tickets to the shared queue, and read those of the others. Returns the own tickets to admit. Blocks.

        Times are those of Redis's clock.

        Args:
            own: this worker's tickets, by id.
            left: tickets of this worker that have left.

        Raises:
            _RaceError: another worker has written at the same time, and nothing was written.
        """
        with self._shared.redis.pipeline() as pipe:
            pipe.watch(self._key)  # type: ignore[no-untyped-call]
            seconds, micros = pipe.time()  # at once, as all commands after WATCH
            now = seconds + micros / 1e6
            rows: Mapping[bytes, bytes] = pipe.hgetall(self._key)  # type: ignore[assignment]
            before = {name.decode(): entry for name, row in rows.items() if (entry := _parsed(row)) is not None}
            entries = {name: entry for name, entry in before.items() if entry.until > now and name not in left}
            for name, entry in own.items():
                seen = before.get(name) or replace(entry, turn=turn_of(entries, entry.caller), since=now, until=now)
                until = seen.until if seen.until - now > _LEASE / 2 else now + _LEASE
                entries[name] = replace(seen, until=until, admitted=entry.admitted)
            chosen = [name for name in admissible(entries, self._most) if name in own]
            entries |= {name: replace(entries[name], admitted=True) for name in chosen}
            pipe.multi()
            for name, entry in entries.items():
                if entry != before.get(name):
                    pipe.hset(self._key, name, _row(entry))
            for gone in rows.keys() - {name.encode() for name in entries}:
                pipe.hdel(self._key, gone)
            pipe.pexpire(self._key, int(_LEASE * 2000))
            from redis.exceptions import WatchError  # noqa: PLC0415 - programs without a Redis start faster

            try:
                pipe.execute()
            except WatchError as error:
                raise _RaceError from error
        return chosen


class _RaceError(Exception):
    """Another worker has written to the shared queue at the same time."""


def _row(entry: Entry) -> str:
    return json.dumps([entry.caller, entry.turn, entry.since, entry.until, entry.admitted])


def _parsed(row: bytes) -> Entry | None:
    try:
        caller, turn, since, until, admitted = json.loads(row)
        return Entry(str(caller), int(turn), float(since), float(until), bool(admitted))
    except (ValueError, TypeError):
        return None
