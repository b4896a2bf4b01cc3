"""How polls go."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Times are seconds.

    Attributes:
        interval: between two polls for the same.
        longest: between two polls of a cloud that does not answer.
        patience: after which a cloud without an answer ends its watches.
        timeout: for each question.
    """

    interval: float = 2.0
    longest: float = 30.0
    patience: float = 120.0
    timeout: float = 30.0
