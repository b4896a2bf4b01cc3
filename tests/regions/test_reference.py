"""The reference names every error of virtual regions."""

from pathlib import Path
from typing import Final

from openstackoid.core.errors import OpenStackoidError
from openstackoid.regions import errors
from openstackoid.trust.signatures import SignatureError

PAGE: Final = (Path(__file__).parents[2] / "docs" / "reference" / "virtual-regions-errors.md").read_text()


def kinds(base: type[OpenStackoidError]) -> set[type[OpenStackoidError]]:
    return {base}.union(*(kinds(kind) for kind in base.__subclasses__()))


def test_every_code_stands_in_the_reference_with_its_status() -> None:
    for kind in kinds(errors.RegionsError) | {SignatureError}:
        assert f"| {kind.status} | `{kind.code}` |" in PAGE, kind.code
