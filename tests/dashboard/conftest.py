"""Horizon in a browser: before a desk without real clouds, and, with `make test-full`, before two real clouds."""

from collections.abc import Callable, Iterator

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext
from tests.dashboard import desk as desks
from tests.dashboard.desk import Desk
from tests.dashboard.front import PASSWORD
from tests.dashboard.hostile import HOSTILE
from tests.dashboard.watching import Visit, new_visit, patient, sign_in
from tests.volume import FULL

from openstackoid.lab import Lab

ADDRESS = "127.0.111.0"
REGION = {
    "name": "north",
    "description": HOSTILE,
    "domain_id": "default",
    "services": ["compute", "image"],
    "quota": {"cores": 20},
}
DECLARED = {
    "location": {"country": "FR", "city": HOSTILE, "latitude": 48.9, "longitude": 2.4},
    "price": {"currency": "EUR", "items": [{"sku": "m1.small", "unit": "hour", "amount": "0.012"}]},
}


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if not FULL:
        pytest.skip("a browser before two real clouds takes four minutes: make test-full")
    made = Lab(tmp_path_factory.mktemp("lab"), ["CloudOne", "CloudTwo"], ADDRESS, with_dashboard=True)
    try:
        made.up(print)
        yield made
    finally:
        made.reset()


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desks.opened(tmp_path_factory.mktemp("desk")) as opened:
        yield opened


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with patient() as started:
        yield started


@pytest.fixture
def visits() -> Iterator[list[Visit]]:
    """Those of a test; no page that is visited may have an error in its console."""
    made: list[Visit] = []
    yield made
    for visited in made:
        visited.page.close()
        assert visited.errors == []


@pytest.fixture(scope="package")
def sessions() -> dict[str, BrowserContext]:
    """User of the desk -> where this user is logged in."""
    return {}


@pytest.fixture
def visit(
    desk: Desk, browser: Browser, sessions: dict[str, BrowserContext], visits: list[Visit]
) -> Callable[[str], Visit]:
    """A page of `admin` or `alice` at the desk, who log in once for all tests: that costs as much as ten pages."""

    def log_in(user: str) -> Visit:
        # Its other pages need services.
        first = "federation/"
        if user in sessions:
            visits.append(Visit(sessions[user].new_page()))
            visits[-1].page.goto(first)
        else:
            visits.append(new_visit(browser, desk.url))
            sign_in(visits[-1].page, {"username": user, "password": PASSWORD}, first)
            sessions[user] = visits[-1].page.context
        return visits[-1]

    return log_in


@pytest.fixture
def visit_lab(lab: Lab, browser: Browser, visits: list[Visit]) -> Callable[[str], Visit]:
    """Log in at CloudOne, as a user of clouds.yaml."""

    def log_in(entry: str) -> Visit:
        visits.append(new_visit(browser, lab.clouds["CloudOne"].dashboard))
        sign_in(visits[-1].page, yaml.safe_load(lab.clouds_yaml.read_text())["clouds"][entry]["auth"])
        return visits[-1]

    return log_in


@pytest.fixture(scope="package")
def offered(desk: Desk) -> None:
    """The provider offers two regions; their texts are hostile."""
    for name, declared in (
        ("north", DECLARED),
        ("south", DECLARED | {"location": {"country": "DE", "latitude": 52.5, "longitude": 13.4}}),
    ):
        region = desk.ask("POST", "/v1/virtual-regions", REGION | {"name": name})
        values = {"source": "declared", "values": declared}
        desk.ask("POST", f"/v1/virtual-regions/{region['id']}/metadata", values)
        desk.ask("POST", f"/v1/virtual-regions/{region['id']}/offer", {})
