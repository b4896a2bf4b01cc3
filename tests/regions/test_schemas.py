"""Documents against their schemas: what fits, and where it does not."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.regions.negotiating import DOCUMENT, TERMS, TIME, pair

from openstackoid.regions import schemas
from openstackoid.regions.errors import DocumentError
from openstackoid.regions.objects.states import ContractEvent
from openstackoid.regions.objects.virtual_region import VirtualRegion
from openstackoid.regions.schemas import common, contract, message, metadata, offer, virtual_region
from openstackoid.regions.schemas.common import check

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "examples" / "virtual-region.yaml"
REGION: Final[dict[str, Any]] = {
    "name": "north",
    "domain_id": "d" * 32,
    "services": ["compute", "image"],
    "quota": {"cores": 10},
    "resources": {"flavors": ["1", "2"]},
    "metadata": metadata.dated({"location": {"country": "FR"}}, "declared", TIME),
}


@pytest.mark.parametrize(
    ("schema", "good"), [(common.NAME, "V1"), (common.ID, "a" * 32), (common.AMOUNT, "1.5"), (common.TIME, TIME)]
)
def test_a_line_feed_at_the_end_is_no_part_of_a_name(schema: dict[str, Any], good: str) -> None:
    check(good, schema)
    for wrong in (good + "\n", "\n" + good):
        with pytest.raises(DocumentError):
            check(wrong, schema)


def test_every_schema_is_one_of_2020_12() -> None:
    found = 0
    for module in pkgutil.iter_modules(schemas.__path__):
        for name, value in vars(importlib.import_module(f"openstackoid.regions.schemas.{module.name}")).items():
            if name.isupper() and isinstance(value, dict) and "$schema" in value:
                Draft202012Validator.check_schema(value)
                found += 1
    assert found >= 12


def test_what_the_program_writes_fits() -> None:
    check(DOCUMENT, contract.TERMS)
    check(TERMS.to_json(), contract.TERMS)
    check(pair()[1].cause(ContractEvent.REQUEST, TIME, TERMS).ours[0].to_json(), message.PAYLOAD)
    check(REGION, virtual_region.CREATE)
    made = VirtualRegion.create("a" * 32, REGION, TIME)
    check(made.to_json() | {"contracts": 0}, virtual_region.SHOWN)
    check(made.offer(), offer.OFFER)
    assert VirtualRegion.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"quota": {"cores": -1}}, "$.quota.cores"),
        ({"quota": {"cores": True}}, "$.quota.cores"),
        ({"services": "image"}, "$.services"),
        ({"rules": [{"service": "image"}]}, "$.rules[0]"),
        ({"region_name": "../V1"}, "$.region_name"),
        ({"from": "yesterday"}, "$.from"),
        ({"colour": "red"}, "$"),
        ({"version": 0}, "$.version"),
    ],
)
def test_faults_are_refused_with_their_place(changed: dict[str, Any], place: str) -> None:
    with pytest.raises(DocumentError) as caught:
        check(DOCUMENT | changed, contract.TERMS)
    assert caught.value.place == place


def test_a_fault_does_not_repeat_all_that_a_peer_sent() -> None:
    with pytest.raises(DocumentError) as caught:
        check(DOCUMENT | {"region_name": "x" * 100_000}, contract.TERMS)
    assert len(str(caught.value)) < 400


def test_metadata_says_where_each_value_comes_from_and_when() -> None:
    declared = metadata.dated(yaml.safe_load(FILE.read_text()), "declared", TIME)
    check(declared, metadata.METADATA)
    assert declared["location"]["country"] == {"value": "FR", "source": "declared", "at": TIME}
    probed = metadata.dated({"flavors": [{"name": "s", "vcpus": 1, "ram": 1, "disk": 0}]}, "probed", TIME)
    both = metadata.merge(declared, probed)
    check(both, metadata.METADATA)
    assert metadata.plain(both)["flavors"][0]["vcpus"] == 1
    assert metadata.plain(both)["location"]["country"] == "FR"


def test_what_an_api_tells_is_not_declared_and_the_reverse() -> None:
    with pytest.raises(DocumentError, match="flavors"):
        metadata.dated({"flavors": []}, "declared", TIME)
    with pytest.raises(DocumentError, match="location"):
        metadata.dated({"location": {"country": "FR"}}, "probed", TIME)
    with pytest.raises(DocumentError) as caught:
        metadata.dated({"location": {"country": "France"}}, "declared", TIME)
    assert caught.value.place == "$.location.country"
    with pytest.raises(DocumentError) as caught:
        check({"location": {"country": {"value": "FR", "source": "probed", "at": TIME}}}, metadata.METADATA)
    assert caught.value.place == "$.location.country.source"


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("flavors.vcpus", True),
        ("flavors", True),
        ("location.country", True),
        ("price.items.amount", True),
        ("services.compute.maximum", True),
        ("flavors.extra_specs.quota", True),
        ("flavors.cpus", False),
        ("colour", False),
        ("location.country.name", False),
    ],
)
def test_paths_that_metadata_may_hold(path: str, known: bool) -> None:
    assert metadata.is_path(path) is known
