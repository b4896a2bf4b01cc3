"""Query several clouds in parallel: each cloud answers before the deadline, or is reported missing with the reason."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
from multidict import CIMultiDict

from openstackoid.core.errors import IncompleteError, OpenStackoidError, PeerTimeoutError
from openstackoid.core.plans import Target
from openstackoid.gateway.fanout.pace import Pace
from openstackoid.gateway.fanout.spooling import NO_ROOM, Room

_CODE: Final = re.compile(r"[a-z]+(?:\.[a-z-]+)?\Z")
_LONGEST: Final = 64  # characters of a code, as a peer wrote it
_ERROR_BODY: Final = 1 << 16  # bytes of an error body that are parsed
_FAILED: Final = 400
_FEW: Final = 5  # reasons in a message
_BEGIN: Final = 4  # questions that are begun in one turn of the event loop


@dataclass(frozen=True, slots=True)
class Reply:
    """One cloud's answer, buffered in memory."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the answer is a success."""
        return self.status < _FAILED


@dataclass(frozen=True, slots=True)
class Turns:
    """How one request leaves room for others.

    Attributes:
        pace: bounds how many clouds it asks at a time.
        parsing: held while a page is parsed, so that the event loop serves other requests between two pages; one for all fan-outs.
        room: what the items of its list may take.
    """

    pace: Pace
    parsing: asyncio.Lock
    room: Room = NO_ROOM


@dataclass(frozen=True, slots=True)
class Leg:
    """The result of one cloud.

    Attributes:
        reply: the cloud's answer, also an error; None if no answer came.
        code: why the cloud is missing, as a permanent code or `status.NNN`; None if it is not missing.
        message: the same reason for people.
        ms: milliseconds until the result was known.
        retry_after: seconds after which the cloud may be asked, if this gateway did not ask it.
    """

    cloud: str
    reply: Reply | None
    code: str | None
    message: str
    ms: float
    retry_after: float | None = None


ANSWERS: Final = "scope_answers"  # the place of `answers` in a document


def answers(legs: Sequence[Leg], items: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
    """What each cloud answered, as JSON: see `docs/reference/gateway.md`.

    Args:
        legs: the result of each cloud.
        items: cloud -> number of its items in the list.
    """
    found = []
    for leg in legs:
        status = leg.reply.status if leg.reply else None
        told: dict[str, Any] = {"cloud": leg.cloud, "status": status, "code": leg.code, "ms": round(leg.ms, 1)}
        if leg.code:
            told["message"] = leg.message
        if items is not None:
            told["items"] = items.get(leg.cloud, 0)
        found.append(told)
    return found


class MissedError(IncompleteError):
    """Too few clouds answered.

    Attributes:
        legs: the result of each cloud.
    """

    def __init__(self, message: str, legs: Sequence[Leg]) -> None:
        super().__init__(message)
        self.legs = legs
        waits = [leg.retry_after for leg in legs if leg.code]
        known = [seconds for seconds in waits if seconds is not None]
        if known and len(known) == len(waits):
            self.retry_after = max(known)

    def body(self) -> dict[str, Any]:
        """The error, with what each cloud answered."""
        document = super().body()
        document["error"][ANSWERS] = answers(self.legs)
        return document


def reasons(legs: Sequence[Leg]) -> str:
    """Why clouds are missing, for people."""
    missed = [leg for leg in legs if leg.code]
    shown = " ".join(leg.message for leg in missed[:_FEW])
    return shown if len(missed) <= _FEW else f"{shown} And {len(missed) - _FEW} more."


# Path and query inside the service, as one cloud is asked.
Ask: TypeAlias = Callable[[Target, str], Awaitable[Reply]]


async def ask_all(ask: Ask, questions: Sequence[tuple[Target, str]], deadline: float, turns: Turns) -> list[Leg]:
    """Send each target its question.

    Args:
        ask: sends one question.
        questions: targets, and path and query for each.
        deadline: when all must have answered, in the event loop's time; a cloud that has not is missing.
        turns: bound how many questions are under way at a time.

    Returns:
        The results, in the order of the questions.
    """
    tasks = []
    turns.pace.begin(len(questions))
    async with asyncio.TaskGroup() as group:
        for number, (target, path) in enumerate(questions, 1):
            tasks.append(group.create_task(_one(ask, target, path, deadline, turns)))
            if number % _BEGIN == 0:
                await asyncio.sleep(0)  # other requests' turn
    return [task.result() for task in tasks]


async def _one(ask: Ask, target: Target, path: str, deadline: float, turns: Turns) -> Leg:
    started = time.perf_counter()  # the loop's clock counts whole milliseconds (uvloop)

    def took() -> float:
        return (time.perf_counter() - started) * 1000

    try:
        async with asyncio.timeout_at(deadline), turns.pace:
            reply = await ask(target, path)
    except TimeoutError:
        # A leg's own timeouts are of another type: this one is the deadline of the whole request.
        late = f"{target.cloud} did not answer before the deadline of the request."
        return Leg(target.cloud, None, PeerTimeoutError.code, late, took())
    except OpenStackoidError as error:
        return Leg(target.cloud, None, error.code, str(error), took(), error.retry_after)
    code = None if reply.good else _code(reply)
    message = "" if reply.good else f"{target.cloud} answered {reply.status}."
    return Leg(target.cloud, reply, code, message, took())


def _code(reply: Reply) -> str:
    """The permanent code of an error, if a gateway wrote it, else its status."""
    if len(reply.body) <= _ERROR_BODY and b"openstackoid_code" in reply.body:
        try:
            code = orjson.loads(reply.body)["error"]["openstackoid_code"]
        except (ValueError, KeyError, TypeError):
            code = None
        if isinstance(code, str) and len(code) <= _LONGEST and _CODE.match(code):
            return code
    return f"status.{reply.status}"
