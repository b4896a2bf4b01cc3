"""One aggregator with its Horizon, one provider, and a browser, for all tests of this folder."""

from collections.abc import Callable, Iterator

import pytest
import yaml
from playwright.sync_api import Browser
from tests.dashboard.watching import Visit, chromium, new_visit, sign_in
from tests.market.market import Market, Person, new_user, sold

from openstackoid.lab import Lab

ADDRESS = "127.0.58.0"


@pytest.fixture(scope="package")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder, names = tmp_path_factory.mktemp("aggregator"), ["Aggregator", "Provider"]
    lab = Lab(folder, names, ADDRESS, aggregator=True, aggregator_dashboard=True)
    try:
        lab.up(print)
        rita, pia = (Person(lab.clouds_yaml, f"{name}-admin") for name in lab.clouds)
        before = dict(rita.catalog)
        contracts = {region: sold(rita, pia, region) for region in ("V1", "V2")}
        xavier = new_user(lab, rita)
        yield Market(lab, rita, pia, xavier, contracts, before)
    finally:
        lab.reset()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def visit(market: Market, browser: Browser) -> Iterator[Callable[[str], Visit]]:
    """Log in at the aggregator's Horizon as `xavier` or as an entry of clouds.yaml; no page may have an error in its console."""
    visits: list[Visit] = []

    def log_in(entry: str) -> Visit:
        file = market.xavier.file if entry == "xavier" else market.lab.clouds_yaml
        visits.append(new_visit(browser, market.lab.clouds["Aggregator"].dashboard))
        sign_in(visits[-1].page, yaml.safe_load(file.read_text())["clouds"][entry]["auth"])
        return visits[-1]

    yield log_in
    for visited in visits:
        visited.page.context.close()
        assert visited.errors == []
