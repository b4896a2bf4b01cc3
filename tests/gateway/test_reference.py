"""The reference names everything that is there."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from openstackoid.core import errors
from openstackoid.gateway.api import endpoints as own
from openstackoid.gateway.settings import config, fields, sections
from openstackoid.gateway.telemetry.audit import Record
from openstackoid.trust.grants import Grant

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE: Final = (Path(__file__).parents[2] / "docs" / "reference" / "gateway.md").read_text()


def kinds(base: type[errors.OpenStackoidError]) -> set[type[errors.OpenStackoidError]]:
    return {base}.union(*(kinds(kind) for kind in base.__subclasses__()))


def test_every_code_stands_in_the_reference_with_its_status() -> None:
    assert own.NoSuchPathError in kinds(errors.OpenStackoidError)
    served = ("openstackoid.core.", "openstackoid.gateway.")
    for kind in kinds(errors.OpenStackoidError) - {errors.RoutingError, errors.ConfigError}:
        if kind.__module__.startswith(served):
            assert f"| {kind.status} | `{kind.code}` |" in PAGE
    assert f"`{errors.ConfigError.code}`" in PAGE


def test_every_key_and_field_stands_in_the_reference() -> None:
    sections: list[type[BaseModel]] = [*fields.Section.__subclasses__(), Grant]
    assert config.Config in sections
    for model in sections:
        for name in model.model_fields:
            assert f"`{name}" in PAGE or f".{name}`" in PAGE or f"`{name}." in PAGE, name
    for field in Record.__dataclass_fields__:
        assert f"`{field}`" in PAGE, field


def test_the_defaults_of_the_reference_are_true() -> None:
    for name, field in sections.Timeouts.model_fields.items():
        assert f"| `timeouts.{name}` | {field.default} |" in PAGE
