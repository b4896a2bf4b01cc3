"""The reference names every error of virtual regions."""

from pathlib import Path
from typing import Final

from openstackoid import policies
from openstackoid.core.errors import OpenStackoidError
from openstackoid.regions import errors
from openstackoid.regions.config import Config
from openstackoid.regions.handlers.routes import OPERATORS, PEERS
from openstackoid.regions.schemas.metadata import FIELDS
from openstackoid.trust.signatures import SignatureError

PAGES: Final = Path(__file__).parents[2] / "docs" / "reference"
PAGE: Final = (PAGES / "virtual-regions-errors.md").read_text()


def kinds(base: type[OpenStackoidError]) -> set[type[OpenStackoidError]]:
    return {base}.union(*(kinds(kind) for kind in base.__subclasses__()))


def test_every_code_stands_in_the_reference_with_its_status() -> None:
    for kind in kinds(errors.RegionsError) | {SignatureError}:
        assert f"| {kind.status} | `{kind.code}` |" in PAGE, kind.code


def test_every_field_of_metadata_stands_in_the_reference_with_its_sources() -> None:
    page = PAGES / "virtual-regions-metadata.md"
    for group, fields in FIELDS.items():
        for field, (_, sources) in fields.items():
            shown = f"`{field}`" if field else "the value itself"
            assert f"| `{group}` | {shown} | {', '.join(sources)} |" in page.read_text()


def test_every_path_key_and_policy_stands_in_the_reference() -> None:
    page = (PAGES / "virtual-regions-api.md").read_text()
    for route in OPERATORS:
        policy = f"`{route.policy}`" if route.policy else "everybody"
        assert f"| {route.method} | `{route.path}` | {policy} | {route.summary} |" in page
    for route in PEERS:
        assert f"| {route.method} | `{route.path}` | {route.summary} |" in page
    for name in Config.model_fields:
        assert f"`{name}`" in page
    for name, rule in policies.BASE:
        assert f"`{name}` is `{rule}`" in page
