"""`openstackoid database ...`: the database of agreements."""

import argparse
import importlib
from pathlib import Path
from typing import Any

from openstackoid.commands.base import Command, WithConfig


def _database() -> Any:
    return importlib.import_module("openstackoid.operators.database")


class BackUpDatabase(WithConfig, Command):
    """Copy the database to a file."""

    summary = "copy the database to a file"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Where to."""
        parser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="where to")
        parser.add_argument("--force", action="store_true", help="also over a file that is there")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Copy it."""
        return int(_database().backup(parsed_args))


class RestoreDatabase(WithConfig, Command):
    """Put a copy into the place of the database."""

    summary = "put a copy into the place of the database"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which copy."""
        parser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="the copy, as backup made it")
        parser.add_argument("--force", action="store_true", help="also over a database that is there")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Restore it."""
        return int(_database().restore(parsed_args))


class UpgradeDatabase(WithConfig, Command):
    """Make the tables that this version needs."""

    summary = "make the tables that this version needs"

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Upgrade it."""
        return int(_database().upgrade(parsed_args))
