"""`openstack virtual region usage` and `openstack region usage`: what contracts use, and statements of it, for both sides' operators."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from osc_lib.cli.format_columns import DictColumn

from openstackoid.client.regions.arguments import shown
from openstackoid.client.regions.base import Lister, Show

if TYPE_CHECKING:
    from collections.abc import Iterable

_Table = tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]
_Row = tuple[tuple[str, ...], tuple[Any, ...]]
_LINE = ("project", "name", "day", "sku", "unit", "quantity")
_TITLES = ("Project", "Name", "Day", "SKU", "Unit", "Quantity", "Cost")


class ShowUsage(Lister):
    """List what a contract's projects have used, day by day, with the prices of the contract."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Of which contract, when."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _contract(parser)
        _period(parser, required=False)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Table:
        """One row a project, day and SKU."""
        today = datetime.now(UTC).date()
        given = {
            "from": parsed_args.first or today.replace(day=1).isoformat(),
            "until": parsed_args.until or (today + timedelta(days=1)).isoformat(),
        }
        return _lines(self.plane.get("contracts", parsed_args.contract, "usage", **given)["lines"])


class SignUsage(Show):
    """Sign a statement of what a contract's projects have used, and send it to the consumer; the same days again change nothing."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Of which contract, which days."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _contract(parser)
        _period(parser, required=True)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Sign it."""
        body = {"from": parsed_args.first, "until": parsed_args.until}
        return _statement(self.plane.post("contracts", parsed_args.contract, "statements", body=body))


class ListStatements(Lister):
    """List the statements of a contract, and how they were answered."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Of which contract."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _contract(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Table:
        """One row a statement."""
        statements = self.plane.get("contracts", parsed_args.contract, "statements")["statements"]
        names = ("number", "from", "until", "time", "answer", "reason", "unacknowledged")
        titles = ("Number", "From", "Until", "Time", "Answer", "Reason", "Unacknowledged", "Totals")
        return titles, [(*(row[name] for name in names), DictColumn(row["totals"])) for row in statements]


class ShowStatement(Lister):
    """List the lines of a statement."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _contract(parser)
        _number(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Table:
        """One row a line."""
        return _lines(self.plane.get("contracts", parsed_args.contract, "statements", parsed_args.number)["lines"])


class CompareUsage(Lister):
    """List where a statement differs from what is found now, from the contract's prices, and from this cloud's projects and audit."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which statement."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _contract(parser)
        _number(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Table:
        """One row a difference."""
        path = ("contracts", parsed_args.contract, "statements", parsed_args.number, "differences")
        names = ("what", "project", "day", "sku", "unit", "stated", "own")
        titles = ("What", "Project", "Day", "SKU", "Unit", "Stated", "Own")
        return titles, [tuple(row[name] for name in names) for row in self.plane.get(*path)["differences"]]


class _Answer(Show):
    accepted: bool

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which statement, and why."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _contract(parser)
        _number(parser)
        parser.add_argument("--reason", metavar="<text>", default="", help="For the other side's people")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Sign the answer."""
        path = ("contracts", parsed_args.contract, "statements", parsed_args.number, "answer")
        body = {"accepted": self.accepted, "reason": parsed_args.reason}
        return _statement(self.plane.post(*path, body=body))


class AcceptUsage(_Answer):
    """Sign that a statement of the provider is right."""

    accepted = True


class RefuseUsage(_Answer):
    """Sign that a statement of the provider is not right."""

    accepted = False


def _lines(lines: list[dict[str, Any]]) -> _Table:
    return _TITLES, [(*(line[name] for name in _LINE), DictColumn(line["cost"])) for line in lines]


def _statement(document: dict[str, Any]) -> _Row:
    return shown({name: value for name, value in document.items() if name != "lines"})


def _contract(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("contract", metavar="<contract>", help="ID of the contract")


def _number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="<number>", help="Number of the statement")


def _period(parser: argparse.ArgumentParser, *, required: bool) -> None:
    default = "" if required else " (default: of this month, until today)"
    first, until = f"The first day, such as 2026-12-01{default}", "The day after the last one"
    parser.add_argument("--from", dest="first", metavar="<day>", required=required, help=first)
    parser.add_argument("--until", metavar="<day>", required=required, help=until)
