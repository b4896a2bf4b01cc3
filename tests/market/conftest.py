"""One lab for all tests of this folder: an aggregator, its provider, and another aggregator that buys from the first; recorders between them."""

from collections.abc import Iterator

import pytest
from tests import commands
from tests.market.market import Market, opened

from openstackoid.lab import Lab

ADDRESS = "127.0.143.0"


@pytest.fixture(scope="package")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder, names = tmp_path_factory.mktemp("market"), ["Aggregator", "Provider"]
    lab = Lab(folder, names, ADDRESS, aggregator=True, buyer="Reseller", spawn=commands.spawn)
    try:
        lab.up(print)
        with opened(lab) as found:
            yield found
    finally:
        lab.reset()
