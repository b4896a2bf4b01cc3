"""The program `openstackoid`: cliff's App, with groups of commands that explain themselves and exit codes that stay as they are.

Options of the program stand before the command, those of a command after it. Exit codes: 0; 1 for what failed; 2 for what was asked wrongly.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from itertools import takewhile
from typing import Any, Final

from cliff.app import App
from cliff.commandmanager import CommandManager
from cliff.help import HelpAction

from openstackoid.commands.listing import COMMANDS, GROUPS, group_of

_NAME: Final = "openstackoid"
_WIDTH: Final = 18  # characters of a command's name in a list


class Program(App):
    """`openstackoid`; made anew for each run."""

    NAME = _NAME

    def __init__(self, about: str) -> None:
        """Prepare the list of commands; none is imported yet.

        Args:
            about: what the program is, for its help.
        """
        manager = CommandManager()
        for command in COMMANDS:
            manager.commands[command.name] = command  # type: ignore[assignment] # as good as an entry point
        super().__init__(about, None, manager)

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        """The options that stand before a command."""
        del version, argparse_kwargs
        groups = "\n".join(f"  {name:<13}  {group.summary}" for name, group in GROUPS.items() if not group_of(name))
        parser = argparse.ArgumentParser(
            prog=_NAME,
            usage=f"{_NAME} [-h] [--version] COMMAND ...",
            description=description,
            epilog=f"groups of commands, each with a --help of its own:\n{groups}\n\n"
            f"{_NAME} help COMMAND says all about one; {_NAME} complete prints completion for bash.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
        )
        parser.add_argument("-h", "--help", action=HelpAction, nargs=0, default=self, help="show this, and exit")
        parser.add_argument("--version", action=_Version, nargs=0, help="show the version, and exit")
        parser.set_defaults(debug=False)
        return parser

    def run(self, argv: Sequence[str]) -> int:
        """Run a command; returns the exit code.

        Raises:
            SystemExit: help was asked for (0), or the words are wrong (2).
        """
        before = list(takewhile(lambda word: word.startswith("-"), argv))
        self.options = self.parser.parse_args(before)
        if before == list(argv):
            self.parser.error(f"expected a command; see {_NAME} --help")
        return self.run_subcommand(list(argv[len(before) :]))

    def run_subcommand(self, argv: list[str]) -> int:
        """Find a command by its words, and run it with the rest of them."""
        if argv[0] == "help" and " ".join(argv[1:]) in GROUPS:
            return self._group([*argv[1:], "--help"])
        try:
            factory, name, rest = self.command_manager.find_command(argv)
        except ValueError:
            return self._group(argv)
        command: Any = factory(self, self.options)
        arguments = command.get_parser(f"{_NAME} {name}").parse_args(
            command.words(rest) if hasattr(command, "words") else rest
        )
        return int(command.run(arguments))

    def _group(self, argv: Sequence[str]) -> int:
        """Show what a group of commands is for; returns the exit code."""
        count = max((n for n in range(len(argv) + 1) if " ".join(argv[:n]) in GROUPS), default=0)
        name, rest = " ".join(argv[:count]), argv[count:]
        if not name:
            near = [known for known in self.get_fuzzy_matches(argv[0]) if known]
            self.parser.error(f"no command {argv[0]!r}; nearest: {', '.join(near)}. See {_NAME} --help")
        members = [(command.name, command.load().summary) for command in COMMANDS if group_of(command.name) == name]
        members += [(group, about.summary) for group, about in GROUPS.items() if group_of(group) == name]
        if rest and rest[0] not in {"-h", "--help"}:
            names = ", ".join(member for member, _ in members)
            self.parser.error(f"no command {f'{name} {rest[0]}'!r}; there are: {names}")
        width = max(len(member) for member, _ in members) + 2
        lines = [f"usage: {_NAME} {name} COMMAND ...", "", GROUPS[name].about, "commands:"]
        lines += [f"  {member:<{max(width, _WIDTH)}}{summary}" for member, summary in members]
        print("\n".join(lines), file=self.stdout if rest else sys.stderr)
        return 0 if rest else 2


class _Version(argparse.Action):
    """Read when asked for: metadata are files."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.exit(0, f"{_NAME} {metadata.version(_NAME)}\n")
