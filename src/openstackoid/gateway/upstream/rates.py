"""Requests a second: to each peer, and from the users of each agreement.

Over all workers and gateways that share a Redis (`rates.redis`). Without one, each worker of this gateway has its equal part of a rate. In no
N seconds are there more than `rate * N` requests and one second's worth of them (`openstackoid.rates`).
"""

import asyncio
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from openstackoid.core.errors import PeerRateError
from openstackoid.gateway.settings.sections import Rates as Settings
from openstackoid.rates.limiters import Limiter, LocalLimiter, RedisLimiter
from openstackoid.rates.shared import Shared

WORKERS: Final = "OPENSTACKOID_WORKERS"
_ALL: Final = "*"
# Of their own: a Redis that does not answer must not hold the threads in which databases are asked. Below the connections of `Shared`.
_THREADS: Final = ThreadPoolExecutor(32, thread_name_prefix="rates")
_PATIENCE: Final = (
    2.0  # seconds for an answer of Redis: a slow one delays requests; without it, more are sent, as others count there
)


class Rates:
    """The rates of one process.

    Args:
        cloud: this cloud's name.
        settings: the configuration.
        previous: of the configuration before: what was sent a moment ago counts after a reload.

    Attributes:
        kept_at: where counts are kept.
    """

    def __init__(self, cloud: str, settings: Settings, previous: "Rates | None" = None) -> None:
        self._cloud = cloud
        self._settings = settings
        self._workers = int(os.environ.get(WORKERS, "1"))
        self._shared: Shared | None = None
        self._limiters: dict[float, Limiter] = {}
        url = os.environ.get(settings.redis_env) if settings.redis_env else settings.redis
        self.kept_at: Final = (url, settings.gateways)
        if previous and previous.kept_at == self.kept_at:
            self._shared, self._limiters = previous.kept
        elif url:
            self._shared = Shared.at(url, timeout=_PATIENCE)

    @property
    def kept(self) -> tuple[Shared | None, dict[float, Limiter]]:
        """What a reload keeps."""
        return self._shared, self._limiters

    def limits(self, cloud: str) -> bool:
        """Whether a peer has a rate: then HAProxy may send it nothing that is not counted here."""
        return self._rate(cloud) is not None

    async def turn(self, cloud: str, until: float | None) -> None:
        """Wait until a request may be sent to a peer.

        Args:
            cloud: the peer.
            until: how long to wait at most, in the event loop's time; None for `rates.wait`.

        Raises:
            PeerRateError: there is no room until then; the request does not count.
        """
        rate = self._rate(cloud)
        if rate is None:
            return
        longest = self._settings.wait if until is None else max(0.0, until - asyncio.get_running_loop().time())
        wait = await self._reserve(f"peer:{cloud}", rate, longest)
        if wait > longest:
            raise PeerRateError(
                f"{self._cloud} sends {cloud} {rate:g} requests a second at most; there is room in {wait:.1f} s.", wait
            )
        if wait:
            await asyncio.sleep(wait)

    async def admits(self, agreement: str, rate: float) -> bool:
        """Whether one more request is within the rate of an agreement."""
        return await self._reserve(f"agreement:{agreement}", rate, 0.0) <= 0

    async def _reserve(self, key: str, rate: float, longest: float) -> float:
        """Seconds to wait for the next request; nothing is reserved if they are more than `longest`."""
        limiter = self._limiters.get(rate)
        if limiter is None:
            limiter = self._limiters[rate] = self._limiter(rate)
        if limiter.blocks:
            return await asyncio.get_running_loop().run_in_executor(_THREADS, limiter.reserve, key, longest)
        return limiter.reserve(key, longest)

    def _limiter(self, rate: float) -> Limiter:
        burst = max(1, math.ceil(rate))
        if self._shared is None:
            return LocalLimiter(rate / self._workers, max(1, burst // self._workers))
        workers = self._workers * self._settings.gateways
        return RedisLimiter(self._shared, rate, burst, workers=workers, prefix=f"openstackoid:rate:{self._cloud}:")

    def _rate(self, cloud: str) -> float | None:
        return self._settings.peers.get(cloud, self._settings.peers.get(_ALL))
