"""Runs operations: renews their leases while they run, and takes over those that other gateways left."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.replication import kind_named
from openstackoid.gateway.fanout.admission import Admission, has_place
from openstackoid.gateway.replicas import leaving
from openstackoid.gateway.replicas.asking import Asker
from openstackoid.gateway.replicas.change import Change
from openstackoid.gateway.replicas.copy import Copy
from openstackoid.gateway.replicas.creation import Creation
from openstackoid.gateway.replicas.pace import Patience
from openstackoid.gateway.replicas.records import Operation, Part, Work
from openstackoid.gateway.replicas.registry import Registry
from openstackoid.gateway.replicas.sealed import Request, Seals
from openstackoid.gateway.replicas.steps import Means, Steps
from openstackoid.operations.stages import OPEN, Stage
from openstackoid.operations.store import LostError, Store

_LOG: Final = logging.getLogger(__name__)
_CLEANING: Final = 3600.0  # seconds between two deletions of expired operations
_LONGEST_PAUSE: Final = 300.0  # seconds between two tries to bring an operation to its end
_MOST: Final = 1000  # operations of one look
_AT_ONCE: Final = 16  # of them are continued at a time

# Makes what asks clouds, for a request that another gateway began.
Restore: TypeAlias = Callable[[Request], Asker]
# Is told of work that waits for a cloud's service, by their names: who knows that it answers again calls `Runner.wake`.
Await: TypeAlias = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the configuration; times are seconds.

    Attributes:
        timeout, settle, patience: as in `Means`.
        scan: between two looks for operations that nobody runs.
        copies, copies_per_user: copies of images that run at a time, in all and of one user.
    """

    timeout: float
    settle: float
    scan: float
    patience: Patience
    copies: int
    copies_per_user: int


class Runner:
    """The operations of one worker.

    Args:
        store: of operations; its tables are there.
        seals: opens their requests.
        settings: times.
        restore: makes what asks clouds, for an operation that is taken over.
        entry: name of this cloud.
        waits: is told of what waits for a cloud.
    """

    def __init__(
        self,
        store: Store[Operation, Part],
        seals: Seals,
        settings: Settings,
        restore: Restore,
        entry: str,
        waits: Await = lambda _cloud, _service: None,
    ) -> None:
        self.store: Final = store
        self.registry: Final = Registry(store.database)
        self.seals: Final = seals
        self.means: Final = Means(
            store,
            settings.timeout,
            settings.settle,
            settings.patience,
            entry,
            Admission(settings.copies, settings.copies_per_user),
        )
        self._settings: Final = settings
        self._restore: Final = restore
        self._waits: Final = waits
        self._owners: Final[set[str]] = set()
        self._running: Final[set[asyncio.Task[bool]]] = set()
        self._loops: Final[list[asyncio.Task[None]]] = []
        self._taking: Final[dict[asyncio.Task[None], str]] = {}  # copies that were taken over, and whose they are
        self._waking: Final[set[asyncio.Task[None]]] = set()
        self._returns: Final[dict[str, float]] = {}  # cloud -> when it was seen to answer again (monotonic)

    def start(self) -> None:
        """Begin to renew leases, and to look for operations that nobody runs."""
        for loop in (self._beat(), self._scan(), self._clean(), self._wait()):
            self._loops.append(asyncio.create_task(loop))

    async def stop(self) -> None:
        """Stop; operations that still run are taken over by another gateway."""
        tasks = [*self._loops, *self._taking, *self._waking, *self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loops.clear()
        await asyncio.to_thread(self.store.close)

    def wake(self, cloud: str) -> None:
        """Have operations that wait for a cloud tried at the next look, whatever their pause: the cloud answers again."""
        self._returns[cloud] = time.monotonic()
        task = asyncio.create_task(self._wake(cloud))
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    async def _wake(self, cloud: str) -> None:
        try:
            number = await asyncio.to_thread(self.registry.wake, cloud)
        except OpenStackoidError as error:
            _LOG.warning("operations that wait for %s are tried when their pause ends: %s", cloud, error)
            return
        if number:
            _LOG.info("%s answers again: %d operations that waited for it are tried now", cloud, number)

    async def run(self, operation: Operation, work: Callable[[], Awaitable[bool]]) -> bool:
        """Run an operation to its end, or as far as it comes now; it goes on if the caller is cancelled.

        Args:
            operation: as this worker owns it.
            work: runs it.

        Returns:
            Whether it is at its end.

        Raises:
            LostError, StoreError: as `work` does.
        """
        return await asyncio.shield(self.launch(operation, work))

    def launch(self, operation: Operation, work: Callable[[], Awaitable[bool]]) -> "asyncio.Task[bool]":
        """Begin to run an operation, as `run`; nobody has to wait for it."""

        async def leased() -> bool:
            began = time.monotonic()
            self._owners.add(operation.owner)
            try:
                ended = await work()
            finally:
                self._owners.discard(operation.owner)
            if not ended:
                # Soon at first, then ever more rarely: the cloud may be away for long.
                pause = min(_LONGEST_PAUSE, max(0.0, time.time() - operation.created_at) / 4)
                if any(self._returns.get(part.cloud, 0.0) > began for part in operation.parts):
                    pause = 0.0  # its request may have failed a moment before that
                await asyncio.to_thread(self.store.leave, operation, pause)
                # By their stages before this try: one that has answered meanwhile costs a question.
                for cloud in {part.cloud for part in operation.parts if part.stage is not Stage.DONE}:
                    self._waits(cloud, kind_named(operation.kind).service)
            return ended

        task = asyncio.create_task(leased())
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def resume(
        self, operation: Operation, asker: Asker | None = None, *, waiting: bool = False
    ) -> Operation | None:
        """Take an operation over and continue it, unless its request cannot be read, or an older one on the same replica is open.

        Args:
            operation: as it was read.
            asker: asks clouds on behalf of the user, if they have sent the same request again: their token may be a newer one.
            waiting: also one that waits for its next try.

        Returns:
            The operation as this worker took it; None if it was not taken.
        """
        request = self.seals.open(operation.sealed)
        if request is None or (operation.work is not Work.CREATE and await self.older(operation)):
            return None
        taken = await asyncio.to_thread(self.store.take, operation, waiting=waiting)
        if taken is None:
            return None
        steps = Steps(taken, request, asker or self._restore(request), self.means)
        await self.run(taken, _work(steps))
        return taken

    async def supersede(self, operation: Operation) -> list[Operation]:
        """Make room for a delete of a replica: end the older changes that only wait for a cloud.

        Returns:
            The older operations that cannot be ended now: another worker runs them, or it is not certain what they did.
        """
        left = []
        for older in await self.older(operation):
            is_open = older.work is Work.CREATE and any(part.stage in OPEN for part in older.parts)
            taken = None if is_open else await asyncio.to_thread(self.store.take, older, waiting=True)
            if taken is None:
                left.append(older)
            else:
                await asyncio.to_thread(self.store.end, taken)
        return left

    async def older(self, operation: Operation) -> list[Operation]:
        """The operations on the same replica that began before this one and are not done, the oldest first."""
        names = await asyncio.to_thread(self.registry.older, operation)
        operations = [await asyncio.to_thread(self.store.get, caller, name) for caller, name in names]
        return [one for one in operations if one is not None and not one.done]

    async def on(self, replica: str) -> list[Operation]:
        """The operations on a replica that are not done, the oldest first."""
        names = await asyncio.to_thread(self.registry.on, replica)
        operations = [await asyncio.to_thread(self.store.get, caller, name) for caller, name in names]
        return [one for one in operations if one is not None and not one.done]

    def _ended(self, task: "asyncio.Task[bool]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The one who waits for it may be gone.
            _LOG.warning("an operation in several clouds stays open: %s", error)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.store.lease / 3)
            with contextlib.suppress(OpenStackoidError):
                await asyncio.to_thread(self.store.beat, list(self._owners))

    async def _wait(self) -> None:
        """Have clouds watched for which operations wait since before this start; their next try may be minutes away."""
        try:
            for cloud, kind in await asyncio.to_thread(self.registry.waiting):
                self._waits(cloud, kind_named(kind).service)
        except OpenStackoidError as error:
            _LOG.warning("operations that wait for clouds are tried when their pause ends: %s", error)

    async def _scan(self) -> None:
        while True:
            await asyncio.sleep(self._settings.scan)
            try:
                abandoned = await asyncio.to_thread(self.store.abandoned, _MOST)
            except OpenStackoidError as error:
                _LOG.warning("operations that nobody runs cannot be looked for: %s", error)
                continue
            copies = [operation for operation in abandoned if operation.work is Work.COPY]
            short = [operation for operation in abandoned if operation.work is not Work.COPY]
            turns = asyncio.Semaphore(_AT_ONCE)
            for operation in copies:
                self._copy(operation)
            await asyncio.gather(*(self._take_over(operation, turns) for operation in short))

    def _copy(self, operation: Operation) -> None:
        """Take a copy over if it has a place, and go on: its data may take hours, and the others must not wait for them."""
        callers, settings = list(self._taking.values()), self._settings
        mine = callers.count(operation.caller)
        if not has_place(mine, len(callers), settings.copies, settings.copies_per_user):
            return
        task = asyncio.create_task(self._take_over(operation, asyncio.Semaphore()))
        self._taking[task] = operation.caller
        task.add_done_callback(self._taking.pop)

    async def _take_over(self, operation: Operation, turns: asyncio.Semaphore) -> None:
        async with turns:
            try:
                await self.resume(operation)
            except LostError:
                pass  # another gateway was faster
            except Exception as error:  # noqa: BLE001 - an operation that cannot be continued must not end the loop for the others
                _LOG.warning("operation %s cannot be continued: %s", operation.id, error)

    async def _clean(self) -> None:
        while True:
            try:
                while await asyncio.to_thread(self.store.clean):
                    pass
                while await asyncio.to_thread(leaving.clean, self.store.database):
                    pass
            except OpenStackoidError as error:
                _LOG.warning("old operations stay: %s", error)
            await asyncio.sleep(_CLEANING)


def _work(steps: Steps) -> Callable[[], Awaitable[bool]]:
    """What continues an operation that was taken over."""
    match steps.operation.work:
        case Work.CREATE:
            return Creation(steps).resume
        case Work.COPY:
            return Copy(steps).run
        case _:
            return Change(steps).run
