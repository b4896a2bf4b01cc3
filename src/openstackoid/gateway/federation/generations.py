"""A number for each cloud that changes when what was verified of it must be verified anew."""

from collections import Counter
from collections.abc import Iterable


class Generations:
    """The numbers.

    What other clouds do does not count: one of them that changes each second costs nobody else what is remembered.
    """

    def __init__(self) -> None:
        self._common = 0
        self._of: Counter[str] = Counter()

    def of(self, cloud: str) -> tuple[int, int]:
        """The number of a cloud, as a value to compare."""
        return self._common, self._of[cloud]

    def changed(self, clouds: Iterable[str]) -> None:
        """The agreements with these clouds, or their keys, changed."""
        self._of.update(clouds)

    def all_changed(self) -> None:
        """Something changed that concerns all clouds, as this cloud's own keys."""
        self._common += 1
