"""How this cloud's regions do: counted for each request, in the metrics at once, and for the control plane every few seconds in the database."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from openstackoid.gateway.telemetry import metrics
from openstackoid.gateway.telemetry.loops import Loop
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.region_health import Counted

_PAUSE: Final = 3.0  # seconds between two writes
_FAILED: Final = 500


class RegionWatch:
    """Counts requests of regions.

    Args:
        write: adds counts to the database; None if there is none.
    """

    def __init__(self, write: Callable[[Iterable[tuple[str, int, Counted]]], None] | None) -> None:
        self._write = write
        self._counted: dict[tuple[str, int], Counted] = {}
        self._loop = Loop("region health", self._turn)

    def start(self) -> None:
        """Start to write."""
        if self._write is not None:
            self._loop.start()

    async def stop(self) -> None:
        """Stop, and write the rest."""
        if self._write is not None:
            await self._loop.stop()
            await self._turn()

    def note(self, region: ContractGrant, milliseconds: float, status: int | None, code: str = "") -> None:
        """Count a request.

        Args:
            region: which one.
            milliseconds: until the answer began, or the request failed.
            status: of the answer; None if there was none.
            code: why there was none.
        """
        now = int(time.time())
        failed = status is None or status >= _FAILED
        # The region's name is an operator's: there are as many as are bound.
        metrics.region(region.region, f"{status // 100}xx" if status is not None else code, milliseconds / 1000)
        counts = self._counted.setdefault((region.id, now // 60), Counted())
        counts.requests += 1
        counts.milliseconds += round(milliseconds)
        if failed:
            counts.failures += 1
            counts.last_failure, counts.error = now, code or str(status)
        else:
            counts.last_success = now

    async def _turn(self) -> float:
        if self._counted and self._write is not None:
            counted, self._counted = self._counted, {}
            rows = [(contract, minute, counts) for (contract, minute), counts in counted.items()]
            await asyncio.to_thread(self._write, rows)
        return _PAUSE
