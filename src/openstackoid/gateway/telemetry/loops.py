"""Background loops that run as long as the gateway: exceptions do not end them, and a metric shows the age of each loop.

A turn that fails is tried again, after a pause that grows; standard error reports when it begins to fail, when it fails in another
way, and when it works again. `openstackoid_loop_age_seconds{loop=...}` counts from the end of the last turn that worked, so a turn that
hangs shows as well.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from traceback import walk_tb
from typing import Final

from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.telemetry import metrics

_LOG: Final = logging.getLogger(__name__)
_LONGEST: Final = 2.0  # seconds between two turns that fail
_QUIET_INTERVAL: Final = (
    10.0  # seconds between two log lines of one loop, also if its failures differ: a peer may choose them
)
_PACKAGE: Final = Path(__file__).parents[2]
_running: set["Loop"] = set()


class Loop:
    """A loop.

    Args:
        name: in the metric, and on standard error.
        turn: does the work of one turn, and returns the seconds until the next turn.
        pause: seconds after a turn that failed for the first time.

    Attributes:
        worked: when a turn last succeeded (monotonic), or the start.
    """

    def __init__(self, name: str, turn: Callable[[], Awaitable[float]], pause: float = 0.2) -> None:
        self.name = name
        self._turn = turn
        self._pause = pause
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.worked = time.monotonic()
        self._failure = ""
        self._spoke = -math.inf

    def start(self) -> None:
        """Start, with a turn at once."""
        self.worked = time.monotonic()
        _running.add(self)
        self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        """Stop, also in the middle of a turn."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        _running.discard(self)
        self._show()

    def wake(self) -> None:
        """Run the next turn now, or right after the running one."""
        self._awake.set()

    async def _go_on(self) -> None:
        failed = 0
        while True:
            self._awake.clear()
            try:
                pause = await self._turn()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next turn may be better
                self._complain(error)
                pause = min(_LONGEST, self._pause * 2**failed)
                failed = min(failed + 1, 16)
            else:
                failed = 0
                self.worked = time.monotonic()
                self._show()
                self._works()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # wait_for would make a task for each turn (CPython 3.11)
                    await self._awake.wait()

    def _show(self) -> None:
        """While a configuration is reloaded several loops have one name: the metric shows the oldest."""
        metrics.loop(self.name, min((loop.worked for loop in _running if loop.name == self.name), default=math.inf))

    def _complain(self, error: Exception) -> None:
        failure, now = described(error), time.monotonic()
        if failure != self._failure and now - self._spoke >= _QUIET_INTERVAL:
            self._failure, self._spoke = failure, now
            _LOG.error("%s: %s", self.name, failure)

    def _works(self) -> None:
        if self._failure:
            self._failure, self._spoke = "", -math.inf
            _LOG.info("%s: works again", self.name)


def ages() -> dict[str, float]:
    """Name -> seconds since a loop of this process last worked; the oldest of those with one name."""
    now, oldest = time.monotonic(), dict[str, float]()
    for loop in _running:
        oldest[loop.name] = max(now - loop.worked, oldest.get(loop.name, 0.0))
    return oldest


def described(error: BaseException) -> str:
    """Describe an error for operators: the message of our own errors; type and source line of others, whose message may quote a token."""
    if isinstance(error, OpenStackoidError):
        return str(error)
    places = [
        (Path(frame.f_code.co_filename), line)
        for frame, line in walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).is_relative_to(_PACKAGE)
    ]
    where = f" at {places[-1][0].relative_to(_PACKAGE)}:{places[-1][1]}" if places else ""
    return f"{type(error).__name__}{where}"
