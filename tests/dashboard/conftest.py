"""Two real clouds with their Horizons, two control planes of virtual regions, and a browser: Debian's Chromium, without a window."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.dashboard.watching import Visit
from tests.regions.planes import Plane

from openstackoid.lab import Lab, seed

ADDRESS = "127.0.111.0"
CHROMIUM = "/usr/bin/chromium"
PATIENCE = 120_000  # milliseconds until a page must show what is expected


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if "OPENSTACKOID_FULL" not in os.environ:
        pytest.skip("a browser before two real clouds takes four minutes: make test-full")
    made = Lab(tmp_path_factory.mktemp("lab"), ["CloudOne", "CloudTwo"], ADDRESS, with_dashboard=True)
    try:
        made.up(print)
        yield made
    finally:
        made.reset()


@dataclass(frozen=True)
class Planes:
    """The control planes of CloudOne, whose operators use Horizon, and of a provider, CloudTwo.

    Attributes:
        here: with the Keystone of the lab.
        provider: with one of its own; its operators use the API.
        wait: for something to be awaited, in the thread of the provider's server.
    """

    here: Plane
    provider: Plane
    wait: Callable[[Coroutine[Any, Any, Any]], Any]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request of the provider's operator."""
        status, answer = self.wait(self.provider.call(method, path, body))
        assert status < 300, answer
        return answer


@pytest.fixture(scope="session")
def planes(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planes]:
    folder = tmp_path_factory.mktemp("planes")
    here = Plane("CloudOne", folder / "here", keystone=lab.clouds["CloudOne"].auth_url)
    provider = Plane("CloudTwo", folder / "provider")
    here.know(provider)
    provider.know(here)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(awaited: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(awaited, loop).result(120)

    doors = [plane.door.open() for plane in (here, provider)]
    try:
        for plane, door in zip((here, provider), doors, strict=True):
            wait(door.__aenter__())
            plane.start()
            wait(plane.ready())
        register(lab, here.url)
        yield Planes(here, provider, wait)
    finally:
        for plane in (here, provider):
            plane.stop()
        for door in doors:
            wait(door.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def register(lab: Lab, url: str) -> None:
    """Put the control plane into the catalog of CloudOne, as operators do."""
    api = seed.Api(lab.clouds["CloudOne"], lab.secrets("CloudOne"))
    service = {"type": "virtual-region", "name": "virtual-regions"}
    made = api.call("POST", "identity", "/v3/services", {"service": service})["service"]
    endpoint = {"service_id": made["id"], "interface": "public", "region_id": "RegionOne", "url": url}
    api.call("POST", "identity", "/v3/endpoints", {"endpoint": endpoint})


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # Root's Chromium has no sandbox; it opens pages of the lab alone.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(lab: Lab, browser: Browser) -> Iterator[Callable[[str], Visit]]:
    """Log in as a user of clouds.yaml; no page that is visited may have an error in its console."""
    visits: list[Visit] = []

    def log_in(entry: str) -> Visit:
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, base_url=lab.clouds["CloudOne"].dashboard
        )
        context.set_default_timeout(PATIENCE)
        visits.append(Visit(context.new_page()))
        sign_in(visits[-1].page, yaml.safe_load(lab.clouds_yaml.read_text())["clouds"][entry]["auth"])
        return visits[-1]

    yield log_in
    for one in visits:
        one.page.context.close()
        assert one.errors == []


def sign_in(page: Page, auth: dict[str, str]) -> None:
    page.goto("auth/login/")
    page.get_by_label("User Name").fill(auth["username"])
    page.get_by_label("Password", exact=True).fill(auth["password"])
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_role("button", name=auth["username"]).last).to_be_visible()
