"""A generation number for each cloud: when it changes, everything verified of the cloud must be verified again."""

from collections import Counter
from collections.abc import Iterable


class Generations:
    """The generation numbers.

    A cloud's number is independent of other clouds: a cloud that changes each second invalidates no other cloud's cache.
    """

    def __init__(self) -> None:
        self._common = 0
        self._of: Counter[str] = Counter()

    def of(self, cloud: str) -> tuple[int, int]:
        """The generation of a cloud, as a value to compare."""
        return self._common, self._of[cloud]

    def changed(self, clouds: Iterable[str]) -> None:
        """Record that the agreements with these clouds, or their keys, changed."""
        self._of.update(clouds)

    def all_changed(self) -> None:
        """Record a change that concerns all clouds, such as of this cloud's own keys."""
        self._common += 1
