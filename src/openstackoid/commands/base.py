"""Base classes of commands: one that does something, one that lists, one that shows a single thing.

A command's class names its options; the module that it imports when it runs does the work. Text of others is made printable before it
meets a terminal, in every format.
"""

import argparse
import json
import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from cliff import command, lister, show

from openstackoid.output import as_json, json_line, printable

_DOCUMENTS: Final = frozenset({"json", "yaml"})  # formats with whole documents; the others have chosen columns


class Words:
    """What every command has: a summary for lists of commands, and a parser that keeps the lines of its texts.

    Attributes:
        summary: what it does, in a few words.
        examples: shown below the options.
    """

    summary: ClassVar[str]
    examples: ClassVar[str] = ""
    app: Any

    def get_description(self) -> str:
        """The summary, as a sentence."""
        return f"{self.summary[0].upper()}{self.summary[1:]}."

    def get_epilog(self) -> str:
        """Examples."""
        return self.examples

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The options; subclasses add theirs."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)  # type: ignore[misc] # cliff's, next in line
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.set_defaults(parser=parser)  # `output.refuse` ends with its usage
        return parser

    def words(self, argv: list[str]) -> list[str]:
        """The words after the command, before they are parsed."""
        return argv


class WithConfig(Words):
    """A command that reads the gateway's configuration."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """With --config."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--config",
            type=Path,
            default=Path(os.environ.get("OPENSTACKOID_CONFIG") or "/etc/openstackoid/gateway.yaml"),
            metavar="FILE",
            help="the gateway's configuration (default: $OPENSTACKOID_CONFIG, or /etc/openstackoid/gateway.yaml)",
        )
        return parser


class Command(Words, command.Command):
    """A command that does something; `take_action` returns the exit code."""


class _Documents(Words):
    """Formats: chosen columns, made printable, for people; whole documents, as they are, in JSON and YAML."""

    app: Any

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        """Print rows or fields as cliff does, a document as it is."""
        if parsed_args.formatter not in _DOCUMENTS:
            return int(super().produce_output(parsed_args, column_names, data))  # type: ignore[misc] # cliff's, next in line
        document = _chosen(data, parsed_args)
        if parsed_args.formatter == "json":
            print((json_line if parsed_args.noindent else as_json)(document), file=self.app.stdout)
        else:
            import yaml  # noqa: PLC0415 - as in cliff's own formatter: not for the other formats

            plain = json.loads(json.dumps(document))  # YAML's safe writer knows no enumerations
            yaml.safe_dump(plain, self.app.stdout, default_flow_style=False, sort_keys=False)
        return 0


def _chosen(document: Any, parsed_args: argparse.Namespace) -> Any:
    """What `--column` leaves of a document, or of each one in a list."""
    if not parsed_args.columns:
        return document
    if isinstance(document, list):
        return [_chosen(item, parsed_args) for item in document]
    return {name: document.get(name) for name in parsed_args.columns}


class ListCommand(_Documents, lister.Lister):
    """A command that lists.

    Attributes:
        columns: titles for people.
        nothing: printed instead of an empty table.
    """

    columns: ClassVar[tuple[str, ...]]
    nothing: ClassVar[str]

    @abstractmethod
    def documents(self, parsed_args: argparse.Namespace) -> list[Any]:
        """All of what is listed, as JSON has it."""

    @abstractmethod
    def row(self, document: Any) -> Iterable[object]:
        """The cells of one of them, for `columns`."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Columns, and rows or documents."""
        documents = self.documents(parsed_args)
        if parsed_args.formatter in _DOCUMENTS:
            return (), documents
        return self.columns, [tuple(map(printable, self.row(document))) for document in documents]

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        """Print them, or that there are none."""
        if not data and parsed_args.formatter == "table":
            print(self.nothing, file=self.app.stdout)
            return 0
        return super().produce_output(parsed_args, column_names, data)


class ShowCommand(_Documents, show.ShowOne):
    """A command that shows one thing."""

    @abstractmethod
    def document(self, parsed_args: argparse.Namespace) -> dict[str, Any]:
        """What is shown, as JSON has it."""

    @abstractmethod
    def fields(self, document: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
        """The same for people: names, and values or lines of text."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Any]:
        """Names, and values or the document."""
        document = self.document(parsed_args)
        if parsed_args.formatter in _DOCUMENTS:
            return (), document
        pairs = list(self.fields(document))
        return tuple(name for name, _ in pairs), tuple(_cell(value) for _, value in pairs)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(printable, value)) or "-"
    return printable(value)
