"""Intervals and timeouts of polls."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Intervals and timeouts of polls, in seconds.

    Attributes:
        interval: between two polls of the same subject.
        longest: between two polls of a cloud that does not answer.
        patience: a cloud that has not answered for this long ends its watches.
        timeout: of each request.
    """

    interval: float = 2.0
    longest: float = 30.0
    patience: float = 120.0
    timeout: float = 30.0
