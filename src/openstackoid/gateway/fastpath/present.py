"""The facts that decisions depend on, cloud by cloud: a cloud that changes at each poll invalidates nothing that is cached of other clouds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Present:
    """The facts that decisions depend on, as they are now.

    Attributes:
        clouds: names of this cloud and its peers.
        generation: of a cloud; changes whenever decisions that depend on the cloud may change.
        age: seconds since the agreements were last checked for changes.
    """

    clouds: Callable[[], Iterable[str]]
    generation: Callable[[str], object]
    age: Callable[[], float]

    def of(self, clouds: Iterable[str]) -> dict[str, object]:
        """Cloud -> its generation."""
        return {name: self.generation(name) for name in clouds}
