"""How many requests a second: a bucket of tokens for each name, of one second's worth, in this process."""

import os
import time

WORKERS = "OPENSTACKOID_WORKERS"


class Rates:
    """Buckets by name. Several workers of one gateway share a rate in equal parts."""

    def __init__(self) -> None:
        self._share = 1 / int(os.environ.get(WORKERS, "1"))
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, rate: float) -> bool:
        """Whether one more is within the rate (a second)."""
        rate *= self._share
        most = max(1.0, rate)
        now = time.monotonic()
        left, then = self._buckets.get(name, (most, now))
        left = min(most, left + (now - then) * rate)
        self._buckets[name] = (left - 1 if left >= 1 else left, now)
        return left >= 1
