"""A bounded queue of changes for a slow reader; the newest state of each resource is always kept. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from oaktree.v1.common_pb2 import (
    CHANGE_CREATED,
    CHANGE_DELETED,
    CHANGE_REACHED,
    CHANGE_SKIPPED,
    Change,
)
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.watches.states import State


@dataclass(frozen=True, slots=True)
class Event:
    """A change of one resource.

    Attributes:
        change: what happened.
        state: the resource; None if the condition of a watch on all resources is met.
        at: when the change was seen, in seconds since the epoch.
        new: the reader has not received this resource before.
    """

    change: "Change.ValueType"
    state: State | None
    at: float
    new: bool = False

    def encoded(self, response: type[Message], name: str, codec: Codec) -> bytes:
        """Encode the response. The resource is encoded once for all watchers; the fields of this change are encoded before it.

        Args:
            response: a `Watch...Response`.
            name: the response's field for the resource.
            codec: the codec of the resource.
        """
        seen = Timestamp()
        seen.FromNanoseconds(int(self.at * 1e9))
        head: Any = response(change=self.change, seen_at=seen)
        start: bytes = head.SerializeToString()
        if self.state is None:
            return start
        state = self.state
        # Concatenated encodings of protobuf messages are the encoding of the merged message.
        return start + state.recall(
            response.DESCRIPTOR.full_name, lambda: response(**{name: state.message(codec)}).SerializeToString()
        )


class Pending:
    """The changes that one reader has not read yet.

    Up to `most` changes are kept as they came. When there are more, the changes of each resource are merged into one, so that at most twice
    as many changes as resources are kept. The states are shared between readers: a reader costs only references.
    """

    def __init__(self, most: int) -> None:
        """Create a queue that keeps up to `most` changes unmerged; at least 1."""
        self._most: Final = most
        self._limit = most
        self._events: deque[Event] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Append a change."""
        self._events.append(event)
        if len(self._events) > self._limit:
            self._events = coalesced(self._events)
            self._limit = max(self._most, 2 * len(self._events))

    def take(self) -> Event:
        """Remove and return the oldest change."""
        event = self._events.popleft()
        if not self._events:
            self._limit = self._most
        return event


def coalesced(events: Iterable[Event]) -> deque[Event]:
    """One change for each resource, in the order of their last ones; `REACHED` stays as it is.

    A resource that was created and deleted before the reader saw it is left out. A resource with merged changes has one change
    `SKIPPED`, with its newest state.
    """
    first: dict[tuple[str, str], Event] = {}
    last: dict[tuple[str, str], Event] = {}
    ends = []
    for event in events:
        if event.state is None or event.change == CHANGE_REACHED:
            ends.append(event)
            continue
        key = event.state.key
        begun = first.setdefault(key, event)
        last.pop(key, None)
        if event.change == CHANGE_DELETED and _new(begun):
            del first[key]
        else:
            last[key] = event
    kept: deque[Event] = deque()
    for key, event in last.items():
        if event is first[key] or event.change == CHANGE_DELETED:
            kept.append(event)
        else:
            kept.append(Event(CHANGE_SKIPPED, event.state, event.at, _new(first[key])))
    kept.extend(ends)
    return kept


def _new(event: Event) -> bool:
    return event.new or event.change == CHANGE_CREATED
