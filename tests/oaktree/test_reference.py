"""The pages name everything that is there: reasons of errors, options, keys of the configuration."""

import argparse
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pydantic
import pytest

from openstackoid import oaktree
from openstackoid.commands.listing import COMMANDS
from openstackoid.oaktree import codes, errors
from openstackoid.oaktree.config import Config

DOCS: Final = Path(__file__).parents[2] / "docs"
REFERENCE: Final = (DOCS / "reference" / "oaktree.md").read_text()
SERVER: Final = (DOCS / "how-to" / "oaktree-server.md").read_text()


def reasons() -> set[str]:
    """Every permanent code, of our own errors and of those of clouds."""
    for module in pkgutil.walk_packages(oaktree.__path__, f"{oaktree.__name__}."):
        if ".versions" not in module.name:
            importlib.import_module(module.name)

    def below(kind: type[errors.OaktreeError]) -> Iterator[type[errors.OaktreeError]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    kinds: list[type[errors.OaktreeError]] = [errors.OaktreeError, *below(errors.OaktreeError)]
    # Tests have some of their own.
    own = {each.reason for each in kinds if each.__module__.startswith("openstackoid.")}
    clouds = {reason for _, reason in (*codes.HTTP.values(), codes.CREATED_TWICE, codes.QUOTA, codes.INTERNAL, *(meaning for _, meaning in codes.KINDS))}  # fmt: skip
    return own | clouds


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Of each command, by its words."""
    commands = [command for command in COMMANDS if command.name.startswith("oaktree ")]
    return {command.name: command.load()(None, None).get_parser(command.name) for command in commands}


def keys(model: type[pydantic.BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{before}{name}"
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
            yield from keys(kind, f"{before}{name}.")


def test_every_reason_of_an_error_is_in_the_reference() -> None:
    found = reasons()
    assert {"INVALID_FIELD", "CLOUD_UNREACHABLE", "ALREADY_EXISTS", "LOOP", "OUTCOME_UNKNOWN"} <= found
    assert {each for each in found if f"`{each}`" not in REFERENCE} == set()


def test_every_option_is_in_the_reference() -> None:
    section = REFERENCE.partition("## Commands")[2].partition("\n## ")[0]
    found = parsers()
    assert {"oaktree serve", "oaktree call list", "oaktree call operation undo"} <= found.keys()
    for words, parser in found.items():
        for action in parser._actions:
            for option in action.option_strings:
                if option not in ("-h", "--help") and action.help != argparse.SUPPRESS:
                    assert f"`{option}`" in section, f"{words} {option}"
    named = set(re.findall(r"`(--?[a-z][a-z-]*)`", section))
    assert named <= {option for parser in found.values() for action in parser._actions for option in action.option_strings}  # fmt: skip


@pytest.mark.parametrize("key", sorted(keys(Config)))
def test_every_key_of_the_configuration_is_in_the_page_for_operators(key: str) -> None:
    section = SERVER.partition("## Configuration")[2]
    first, _, rest = key.partition(".")
    # `tls.key` has a line of its own, or stands in that of `cache`.
    lines = [each for each in section.splitlines() if re.match(rf"\|[^|]*`{first}[`.]", each)]
    assert any(f"`{key}`" in each or not rest or f"`{rest}`" in each for each in lines), key
