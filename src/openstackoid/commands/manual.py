"""`openstackoid manual`: the manual page, made of what the commands say about themselves, as `openstackoid complete` makes the completion.

Options of the formats, which every command that lists or shows has, stand in it once.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from openstackoid.commands.base import Command
from openstackoid.commands.listing import COMMANDS, GROUPS, group_of

_SINGLE: Final = "OTHER COMMANDS"
_HEAD: Final = r""".\" Made by openstackoid manual.
.TH OPENSTACKOID 1 "" "OpenStackoid" "User Commands"
.SH NAME
openstackoid \- a gateway that makes independent OpenStack clouds work as one
.SH SYNOPSIS
.B openstackoid
.RB [ \-h ]
.RB [ \-\-version ]
.I COMMAND
\&...
.SH DESCRIPTION
.B openstackoid
has the services and the operators' commands of OpenStackoid.
.B openstackoid help COMMAND
says the same as this page about one of them.
.SH OUTPUT
Commands that list or show print a table, or by
.BR \-f :
json, yaml, value, and csv for lists.
.B \-c NAME
leaves one column or field only, and can be repeated.
"""
_TAIL: Final = r""".SH EXIT STATUS
0; 1 for what failed; 2 for what was asked wrongly.
.SH ENVIRONMENT
.TP
.B OPENSTACKOID_CONFIG
the gateway's configuration, where
.B \-\-config
is not given.
.TP
.B OPENSTACKOID_LOG_FORMAT
text or json: the form of what services write to standard error.
.SH FILES
.TP
.I /etc/openstackoid/gateway.yaml
the gateway's configuration.
.SH SEE ALSO
.BR openstack (1),
.BR haproxy (1)
"""


class PrintManual(Command):
    """Print the manual page."""

    summary = "print the manual page, for man(1)"
    examples = """\
  openstackoid manual > /usr/local/share/man/man1/openstackoid.1
"""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print it."""
        del parsed_args
        print(page(self.app), end="", file=self.app.stdout)
        return 0


def page(program: Any) -> str:
    """The whole page, in the macros of man(7).

    Args:
        program: the program that has the commands.
    """
    parts = [_HEAD]
    for group, about in GROUPS.items():
        members = [command for command in COMMANDS if group_of(command.name) == group]
        parts.append(f'.SH "{_text(group.upper())} COMMANDS"\n{_text(about.about.partition(chr(10))[0])}\n')
        parts += [_command(program, command.name, command.load()) for command in members]
    parts.append(f'.SH "{_SINGLE}"\n')
    parts += [_command(program, command.name, command.load()) for command in COMMANDS if " " not in command.name]
    return "".join([*parts, _TAIL])


def _command(program: Any, name: str, kind: Any) -> str:
    command = kind(program, argparse.Namespace())
    parser: argparse.ArgumentParser = command.get_parser(f"openstackoid {name}")
    lines = [f'.SS "openstackoid {_text(name)}"', _text(command.get_description())]
    lines += _arguments(parser)
    if command.examples:
        lines += [".PP", ".nf", _text(command.examples.rstrip()), ".fi"]
    return "\n".join(lines) + "\n"


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    formatter = parser._get_formatter()  # noqa: SLF001 - what argparse itself fills help texts in with
    for group in parser._action_groups:  # noqa: SLF001 - argparse has no public way to them
        if "formatter" in (group.title or "").lower():
            continue
        for action in group._group_actions:  # noqa: SLF001 - as above
            if action.help == argparse.SUPPRESS or action.dest == "help":
                continue
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
                names = ", ".join(action.choices)
                yield f".PP\nIts commands: {_text(names)}; each has a --help of its own.".replace("--", r"\-\-")
                continue
            value = "" if action.nargs == 0 else f" {formatter._format_args(action, _metavar(action))}"  # noqa: SLF001 - as above
            names = ", ".join(action.option_strings)
            yield f".TP\n.B {_text(f'{names}{value}'.strip())}"
            yield _text(formatter._expand_help(action) if action.help else "")  # noqa: SLF001 - as above


def _metavar(action: argparse.Action) -> str:
    if action.choices is not None and action.metavar is None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _text(text: str) -> str:
    """Text as roff takes it: no line is a request, and a hyphen is one that can be copied."""
    text = text.replace(str(Path.home()), "~").replace("\\", r"\e").replace("-", r"\-").replace("~", r"\(ti")
    return "\n".join(rf"\&{line}" if line.startswith((".", "'")) else line for line in text.splitlines())
