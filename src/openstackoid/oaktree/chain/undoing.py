"""A create at several oaktrees that is undone as a whole: what each of them made is deleted by its own operation's id, as its caller would do it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from google.rpc import code_pb2, status_pb2

from oaktree.v1.common_pb2 import STAGE_UNDONE, CloudResult, Progress, Summary
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses
from openstackoid.oaktree.creates.outcomes import ENDED

# Undoes the operation of an id; its parts then.
Undo = Callable[[str], Awaitable[Iterable[Progress]]]
# Kept here: a task that nobody waits for any more could be collected.
_UNDER_WAY: Final[set[asyncio.Task[list[Progress]]]] = set()


class Undoing:
    """What is known of a create that may have to be undone."""

    def __init__(self, undo: Undo) -> None:
        """Know of nothing yet."""
        self._undo: Final = undo
        self._places: Final[dict[str, set[bytes]]] = {}  # of the parts of each operation

    def hear(self, answer: Any) -> None:
        """One more answer to the create."""
        if answer.HasField("progress") and answer.progress.operation_id:
            places = self._places.setdefault(answer.progress.operation_id, set())
            if answer.progress.HasField("location"):
                places.add(_key(answer.progress.location))

    async def settle(self, summary: Summary) -> list[Progress]:
        """Undo all of it, if anything went wrong anywhere; goes on to its end when the caller goes.

        Args:
            summary: of the create; then says what was undone, and what could not be.

        Returns:
            The steps, to be told.
        """
        if not any(each.HasField("error") for each in summary.results):
            return []
        task = asyncio.create_task(self._settle(summary))
        _UNDER_WAY.add(task)
        task.add_done_callback(_UNDER_WAY.discard)
        return await asyncio.shield(task)

    async def _settle(self, summary: Summary) -> list[Progress]:
        ids = list(self._places)
        answers = await asyncio.gather(*(self._undo(each) for each in ids), return_exceptions=True)
        results = {_key(each.location): each for each in summary.results}
        steps: list[Progress] = []
        for name, answer in zip(ids, answers, strict=True):
            if isinstance(answer, BaseException):
                status = statuses.status(answer)
                status.message = f"operation {name} could not be undone: {status.message}"
                for place in self._places[name] & results.keys():
                    _report(results[place], status)
                continue
            steps += answer
            for part in answer:
                if (result := results.get(_key(part.location))) is not None:
                    _after(result, part)
        return steps


def _after(result: CloudResult, part: Progress) -> None:
    """A part's result, after it was to be undone."""
    if part.stage == STAGE_UNDONE:
        result.items = 0
        _report(result, status_pb2.Status(code=code_pb2.CANCELLED, message=ENDED[STAGE_UNDONE]))
    elif part.HasField("error"):
        _report(result, part.error)


def _report(result: CloudResult, error: status_pb2.Status) -> None:
    # What went wrong first tells more.
    if not result.HasField("error"):
        result.error.CopyFrom(error)


def _key(location: Location) -> bytes:
    return location.SerializeToString(deterministic=True)
