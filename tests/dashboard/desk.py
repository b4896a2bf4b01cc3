"""The desk of an operator: a Horizon before a front, two control planes, no real cloud."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.dashboard.front import Front
from tests.dashboard.gateways import Operated, operated
from tests.regions.planes import Plane

from openstackoid.lab import dashboard, processes
from openstackoid.lab.environment import default_cache
from openstackoid.lab.layout import DASHBOARD, Cloud, plan

DOMAIN: Final = "d" * 32  # of CloudOne's regions that are used
ADDRESS: Final = f"127.{64 + os.getpid() % 128}.191.0"  # two runs on one machine are not in each other's way
_STARTS: Final = 120.0  # seconds


@dataclass(frozen=True)
class Desk:
    """The control planes of CloudOne, whose operators use Horizon, and of a provider, CloudTwo, whose operators use the API.

    Attributes:
        url: of Horizon.
        here, provider: the control planes.
        gateway: of CloudOne, with an operators' API.
        wait: for something to be awaited, in the thread of the servers.
    """

    url: str
    here: Plane
    provider: Plane
    gateway: Operated
    wait: Callable[[Coroutine[Any, Any, Any]], Any]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request of the provider's operator."""
        status, answer = self.wait(self.provider.call(method, path, body))
        assert status < 300, answer
        return answer


@contextmanager
def opened(folder: Path) -> Iterator[Desk]:
    """Start all of it, and end it."""
    (cloud,) = plan(folder, ["CloudOne"], ADDRESS, with_haproxy=False, with_dashboard=True).values()
    here, provider = Plane("CloudOne", folder / "here"), Plane("CloudTwo", folder / "provider")
    # CloudOne measures what its own regions are used for.
    here.sets_up("manager")
    here.door.cloud.add_domain(DOMAIN)
    here.know(provider)
    provider.know(here)
    front = Front(cloud.frontend_host, 5000, here.url, ["CloudTwo"])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(awaited: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(awaited, loop).result(120)

    doors = AsyncExitStack()

    async def open_all() -> None:
        for door in (here.door, provider.door, front):
            await doors.enter_async_context(door.open())

    try:
        wait(open_all())
        for plane in (here, provider):
            plane.start()
        for plane in (here, provider):
            wait(plane.ready())
        with operated(folder / "gateway", here) as gateway, _horizon(cloud):
            front.gateway = gateway.url
            yield Desk(cloud.dashboard, here, provider, gateway, wait)
    finally:
        for plane in (here, provider):
            plane.stop()
        wait(doors.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def _horizon(cloud: Cloud) -> Iterator[None]:
    home = dashboard.ensure(default_cache(), print)
    for folder in ("run", "logs"):
        (cloud.directory / folder).mkdir(parents=True)
    dashboard.start(cloud, home)
    try:
        process = processes.read(cloud.pid_file(DASHBOARD))
        assert process
        url = cloud.health(DASHBOARD)
        for _ in range(int(_STARTS)):
            assert process.alive, cloud.log(DASHBOARD).read_text()
            if processes.answers(url, 1, exactly=200):
                break
        yield
    finally:
        running = processes.read(cloud.pid_file(DASHBOARD))
        processes.stop(running.group() if running else [], 10)
        shutil.rmtree(cloud.dashboard_folder, ignore_errors=True)
