"""`openstackoid haproxy ...`: HAProxy's configuration, from the file that the gateway reads."""

import argparse
import importlib
from pathlib import Path
from typing import Any

from openstackoid.commands.base import Command, WithConfig


def _haproxy() -> Any:
    return importlib.import_module("openstackoid.operators.haproxy")


class _WithDirectory(WithConfig):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """With --out."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--out", type=Path, metavar="DIR", help="where to (default: haproxy.directory)")
        return parser


class RenderHaproxy(_WithDirectory, Command):
    """Write HAProxy's configuration, maps and errors."""

    summary = "write HAProxy's configuration, maps and errors"

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Write them."""
        return int(_haproxy().render(parsed_args))


class CheckHaproxy(_WithDirectory, Command):
    """Have HAProxy look at what would be written."""

    summary = "have HAProxy look at what would be written, and write nothing"

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Check it."""
        return int(_haproxy().check(parsed_args))


class ApplyHaproxy(_WithDirectory, Command):
    """Write it, and have a running HAProxy take it."""

    summary = "write it, and have a running HAProxy take it without losing a connection"

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Put it in force."""
        return int(_haproxy().apply(parsed_args))
