"""What decisions depend on, cloud by cloud: so that a cloud which changes at each look costs the others nothing that is remembered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Present:
    """What decisions depend on, as it is now.

    Attributes:
        clouds: names of this cloud and its peers.
        generation: of a cloud; differs from what it was when decisions that concern the cloud may differ.
        age: seconds since somebody last looked whether agreements changed.
    """

    clouds: Callable[[], Iterable[str]]
    generation: Callable[[str], object]
    age: Callable[[], float]

    def of(self, clouds: Iterable[str]) -> dict[str, object]:
        """Cloud -> its generation."""
        return {name: self.generation(name) for name in clouds}
