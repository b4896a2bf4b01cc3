"""Changes that wait for a slow reader: bounded, with the newest state of each resource kept whatever is left out. Pure."""

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
        state: the resource; None where a condition holds that no single resource stands for.
        at: when it was seen, in seconds since the epoch.
        new: the reader has not heard of the resource before.
    """

    change: "Change.ValueType"
    state: State | None
    at: float
    new: bool = False

    def encoded(self, response: type[Message], name: str, codec: Codec) -> bytes:
        """The response's bytes. The resource is encoded once for all who watch it, and follows what is different for each change.

        Args:
            response: a `Watch...Response`.
            name: its field for the resource.
            codec: the resource's.
        """
        seen = Timestamp()
        seen.FromNanoseconds(int(self.at * 1e9))
        head: Any = response(change=self.change, seen_at=seen)
        start: bytes = head.SerializeToString()
        if self.state is None:
            return start
        state = self.state
        # Messages that follow each other are one, merged: protobuf's encoding says so.
        return start + state.recall(
            response.DESCRIPTOR.full_name, lambda: response(**{name: state.message(codec)}).SerializeToString()
        )


class Pending:
    """The changes that one reader has not read yet.

    Up to `most` are kept as they came. Of more, those of the same resource become one, so that no more than twice as many are kept as
    there are resources: what is kept is shared, a reader costs the references.
    """

    def __init__(self, most: int) -> None:
        """Keep up to `most` changes as they came; at least 1."""
        self._most: Final = most
        self._limit = most
        self._events: deque[Event] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """One more."""
        self._events.append(event)
        if len(self._events) > self._limit:
            self._events = coalesced(self._events)
            self._limit = max(self._most, 2 * len(self._events))

    def take(self) -> Event:
        """The oldest."""
        event = self._events.popleft()
        if not self._events:
            self._limit = self._most
        return event


def coalesced(events: Iterable[Event]) -> deque[Event]:
    """One change for each resource, in the order of their last ones; `REACHED` stays as it is.

    A resource that came and went unseen is left out. One that is there with changes left out is `SKIPPED`, in its newest state.
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
