"""One aggregator with its Horizon, two providers, and a browser, for all tests of this folder."""

from collections.abc import Callable, Iterator

import pytest
import yaml
from playwright.sync_api import Browser
from tests import commands
from tests.dashboard.watching import Visit, new_visit, patient, sign_in
from tests.market.market import SERVICES, Market, Person, new_user, sold

from openstackoid.lab import Lab

ADDRESS = "127.0.58.0"
CLOUDS = ["Aggregator", "ProviderOne", "ProviderTwo"]


@pytest.fixture(scope="package")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """V1 is of ProviderOne, whose operator is `pia`, with block storage and an external network; V2 is of ProviderTwo, without."""
    folder = tmp_path_factory.mktemp("aggregator")
    lab = Lab(
        folder,
        CLOUDS,
        ADDRESS,
        aggregator=True,
        aggregator_dashboard=True,
        with_volumes=True,
        spawn=commands.spawn,
    )
    try:
        lab.up(print)
        rita, pia, paul = (Person(lab.clouds_yaml, f"{name}-admin") for name in CLOUDS)
        before = dict(rita.catalog)
        external(pia)
        services = [*SERVICES, "block-storage"]
        contracts = {"V1": sold(rita, pia, "V1", services=services), "V2": sold(rita, paul, "V2")}
        xavier = new_user(lab, rita)
        yield Market(lab, rita, pia, xavier, contracts, before)
    finally:
        lab.reset()


def external(pia: Person) -> None:
    """A network for floating IPs."""
    network = {"network": {"name": "internet", "router:external": True}}
    made = pia.ask("POST", "RegionOne", "network", "/v2.0/networks", 201, json=network)
    subnet = {"network_id": made["network"]["id"], "ip_version": 4, "cidr": "203.0.113.0/24"}
    pia.ask("POST", "RegionOne", "network", "/v2.0/subnets", 201, json={"subnet": subnet})


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with patient() as started:
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
