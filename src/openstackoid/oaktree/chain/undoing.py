"""Undoes a create at several oaktrees as a whole: by the id of each oaktree's own operation, as the caller would do it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from google.rpc import code_pb2, status_pb2

from oaktree.v1.common_pb2 import STAGE_UNDONE, CloudResult, Progress, Summary
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses
from openstackoid.oaktree.creates.outcomes import ENDED

# Undoes an operation by its id. Returns its parts afterwards.
Undo = Callable[[str], Awaitable[Iterable[Progress]]]
# References to running tasks: a task without references could be garbage collected.
_UNDER_WAY: Final[set[asyncio.Task[list[Progress]]]] = set()


class Undoing:
    """The operations of a create that may have to be undone."""

    def __init__(self, undo: Undo) -> None:
        """Create it without operations."""
        self._undo: Final = undo
        self._places: Final[dict[str, set[bytes]]] = {}  # locations of the parts of each operation

    def hear(self, answer: Any) -> None:
        """Record the operation of an answer to the create."""
        if answer.HasField("progress") and answer.progress.operation_id:
            places = self._places.setdefault(answer.progress.operation_id, set())
            if answer.progress.HasField("location"):
                places.add(_key(answer.progress.location))

    async def settle(self, summary: Summary) -> list[Progress]:
        """Undo all operations if any part failed; continues to the end if the caller cancels.

        Args:
            summary: the summary of the create; it is updated with the results of the undo.

        Returns:
            The steps, to be sent to the caller.
        """
        if not any(result.HasField("error") for result in summary.results):
            return []
        task = asyncio.create_task(self._settle(summary))
        _UNDER_WAY.add(task)
        task.add_done_callback(_UNDER_WAY.discard)
        return await asyncio.shield(task)

    async def _settle(self, summary: Summary) -> list[Progress]:
        ids = list(self._places)
        answers = await asyncio.gather(*(self._undo(operation_id) for operation_id in ids), return_exceptions=True)
        results = {_key(answered.location): answered for answered in summary.results}
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
    """Update the result of a part after its undo."""
    if part.stage == STAGE_UNDONE:
        result.items = 0
        _report(result, status_pb2.Status(code=code_pb2.CANCELLED, message=ENDED[STAGE_UNDONE]))
    elif part.HasField("error"):
        _report(result, part.error)


def _report(result: CloudResult, error: status_pb2.Status) -> None:
    # Keep the first error: it is the cause.
    if not result.HasField("error"):
        result.error.CopyFrom(error)


def _key(location: Location) -> bytes:
    return location.SerializeToString(deterministic=True)
