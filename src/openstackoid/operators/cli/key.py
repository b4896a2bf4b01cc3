"""`openstackoid key ...`: this cloud's keys."""

import argparse
import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from openstackoid.commands.base import Command, ShowCommand, WithConfig
from openstackoid.output import when

_FILE: Final = "the keys' file (default: trust.keys of the configuration)"


def _keys() -> Any:
    return importlib.import_module("openstackoid.operators.keys")


class NewKeys(WithConfig, Command):
    """Make this cloud's first keys."""

    summary = "make this cloud's first keys"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Where to."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--file", type=Path, metavar="FILE", help=_FILE)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Make them."""
        return int(_keys().new(parsed_args))


class ShowKeys(WithConfig, ShowCommand):
    """Show the fingerprint and all keys."""

    summary = "show the fingerprint and all keys, without what is secret of them"
    examples = "For a script: openstackoid key show -f value -c fingerprint"

    def document(self, parsed_args: argparse.Namespace) -> dict[str, Any]:
        """The fingerprint, and all keys."""
        return dict(_keys().public(parsed_args.config))

    def fields(self, document: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
        """A line a key."""
        yield "fingerprint", document["fingerprint"]
        yield (
            "keys",
            [
                f"{key['kid']}  {key['use']}  {key['state']}, from {when(key['from'])} until {when(key['until'])}"
                for key in document["keys"]
            ],
        )


class RotateKeys(WithConfig, Command):
    """Make a new key, and let the old one run out."""

    summary = "make a new key, and let the old one run out"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Where, and how fast."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--file", type=Path, metavar="FILE", help=_FILE)
        parser.add_argument(
            "--compromised", action="store_true", help="drop the old keys at once: what they signed counts no more"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Make it."""
        return int(_keys().rotate(parsed_args))
