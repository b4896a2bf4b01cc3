"""`openstack virtual region contract` and `openstack region contract`: the same contracts, for a provider's operators and a consumer's."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from openstackoid.client.regions.arguments import document, shown
from openstackoid.client.regions.base import Lister, Show

if TYPE_CHECKING:
    from collections.abc import Iterable

_Row = tuple[tuple[str, ...], tuple[Any, ...]]


class ListContracts(Lister):
    """List contracts about virtual regions."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which ones."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--state", metavar="<state>", help="Such as requested, active, ended")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a contract."""
        contracts = self.plane.get("contracts", state=parsed_args.state)["contracts"]
        names = ("id", "peer", "side", "state", "region_name")
        return ("ID", "Peer", "Side", "State", "Region Name"), [
            tuple(contract[name] for name in names) for contract in contracts
        ]


class ListResources(Lister):
    """List what the projects of a contract have at the provider, for its users to fetch before it ends."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Of which contract."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("contract", metavar="<contract>", help="ID of the contract")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a resource."""
        rows = self.plane.get("contracts", parsed_args.contract, "resources")["resources"]
        names = ("project", "service", "kind", "id", "name")
        return ("Project", "Service", "Kind", "ID", "Name"), [tuple(row[name] for name in names) for row in rows]


class ListLeases(Lister):
    """List what of a contract's quota is leased to which project of this cloud, and what of that was used when it was counted the last time."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Of which contract."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("contract", metavar="<contract>", help="ID of the contract")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a lease."""
        rows = self.plane.get("contracts", parsed_args.contract, "leases")["leases"]
        names = ("project", "name", "granted", "used", "counted_at", "in_force")
        titles = ("Project", "Quota", "Leased", "Used", "Counted At", "In Force")
        return titles, [tuple(row[name] for name in names) for row in rows]


class RequestContract(Show):
    """Request a contract about a virtual region."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """From whom, on which terms."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--provider", metavar="<cloud>", required=True, help="Name of a peer")
        _terms(parser, required=True)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Request it."""
        body = {"provider": parsed_args.provider, "terms": document(parsed_args.terms), "reason": parsed_args.reason}
        return shown(self.plane.post("contracts", body=body))


class ShowContract(Show):
    """Show a contract: its state, terms and history, and what may happen to it."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("contract", metavar="<contract>", help="ID of the contract")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Its fields."""
        return shown(self.plane.get("contracts", parsed_args.contract))


class _Event(Show):
    event: ClassVar[str]
    terms: ClassVar[bool] = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Of which one, and why."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("contract", metavar="<contract>", help="ID of the contract")
        _terms(parser, required=self.terms)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Let it happen."""
        body: dict[str, Any] = {"event": self.event, "reason": parsed_args.reason}
        if parsed_args.terms:
            body["terms"] = document(parsed_args.terms)
        return shown(self.plane.post("contracts", parsed_args.contract, "events", body=body))


class AcceptContract(_Event):
    """Accept the terms on the table; with --terms those alone."""

    event = "accept"


class CounterContract(_Event):
    """Answer with other terms."""

    event = "counter"
    terms = True


class RejectContract(_Event):
    """Reject the terms on the table, or withdraw one's own."""

    event = "reject"


class ProvisionContract(_Event):
    """Say that what the contract needs is being set up."""

    event = "provision"


class ActivateContract(_Event):
    """Say that what the contract needs is there."""

    event = "activate"


class SuspendContract(_Event):
    """Suspend a contract."""

    event = "suspend"


class ResumeContract(_Event):
    """Resume a suspended contract."""

    event = "resume"


class EndContract(_Event):
    """End a contract; its grace time begins."""

    event = "end"


class FindPseudonym(Show):
    """Show which user or project a provider knows by a pseudonym; the control plane writes down who asked."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which pseudonym, under which contract."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="<id>", help="A pseudonym, or the ID of a user at the provider")
        parser.add_argument("--contract", metavar="<contract>", required=True, help="ID of the contract")
        parser.add_argument("--reason", metavar="<text>", default="", help="Why; it is written down with who asked")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Its fields."""
        body = {"id": parsed_args.id} | ({"reason": parsed_args.reason} if parsed_args.reason else {})
        return shown(self.plane.post("contracts", parsed_args.contract, "whois", body=body))


def _terms(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--terms", metavar="<file>", type=Path, required=required, help="YAML or JSON file with terms")
    parser.add_argument("--reason", metavar="<text>", default="", help="For the other side's people")
