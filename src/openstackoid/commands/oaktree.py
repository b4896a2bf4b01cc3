"""`openstackoid oaktree ...`: its commands have a parser of their own."""

import argparse
import importlib

from openstackoid.commands.base import Command


class Oaktree(Command):
    """Serve many clouds behind one API, or call it."""

    summary = "one API for many clouds"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """As `oaktree.cli` has it."""
        commands = argparse.ArgumentParser(prog=prog_name.rpartition(" ")[0]).add_subparsers()
        importlib.import_module("openstackoid.oaktree.cli").register(commands)
        parser: argparse.ArgumentParser = commands.choices["oaktree"]
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Run it."""
        return int(parsed_args.run(parsed_args))
