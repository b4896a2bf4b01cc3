"""Whether one side of a transfer is fast enough: counted over the time for which it alone was waited for.

A side that sends or takes a byte now and then is never idle, and would hold up a transfer for days.
"""

from dataclasses import dataclass
from typing import Final

from openstackoid.core.errors import PeerSlowError


@dataclass(frozen=True, slots=True)
class Patience:
    """How slow one cloud may be.

    Attributes:
        idle: seconds in which it may send or take nothing; also the time over which its rate is counted.
        least: bytes a second that it must send or take; 0 for any rate.
    """

    idle: float
    least: float = 0.0


class Pace:
    """The pace of one side.

    Args:
        patience: how slow it may be.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience: Final = patience
        self._seconds = 0.0
        self._size = 0

    def holds(self, seconds: float, size: int) -> bool:
        """Count a wait. Returns whether the side is fast enough.

        Args:
            seconds: for which it was waited for.
            size: bytes that it sent or took then.
        """
        self._seconds += seconds
        self._size += size
        if self._seconds < self._patience.idle:
            return True
        fast = self._size >= self._patience.least * self._seconds
        self._seconds, self._size = 0.0, 0
        return fast


def too_slow(cloud: str, verb: str, patience: Patience) -> PeerSlowError:
    """The error of a side that is not fast enough.

    Args:
        cloud: its name.
        verb: `sends` or `takes`.
        patience: that it has used up.
    """
    return PeerSlowError(
        f"{cloud} {verb} less than {patience.least:.0f} bytes a second of the image (operations.least_rate): the transfer was broken off."
    )
