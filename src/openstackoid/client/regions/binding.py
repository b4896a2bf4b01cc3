"""`openstack region bind`, `unbind`, `status`: regions of an aggregator's catalog that are bound to contracts."""

import argparse
from typing import TYPE_CHECKING, Any

from osc_lib.cli.format_columns import ListColumn

from openstackoid.client.regions.arguments import shown
from openstackoid.client.regions.base import Lister, Show

if TYPE_CHECKING:
    from collections.abc import Iterable

_Row = tuple[tuple[str, ...], tuple[Any, ...]]


class BindRegion(Show):
    """Bind a region of this cloud's catalog to a contract: users find it there, and the provider serves it."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which region, to what."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("region", metavar="<region>", help="Name of the new region, such as V1")
        parser.add_argument("--contract", metavar="<contract>", required=True, help="ID of the contract")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Bind it; the same again changes nothing."""
        body = {"region": parsed_args.region, "contract": parsed_args.contract}
        return shown(self.plane.post("bindings", body=body))


class UnbindRegion(Show):
    """Take a region out of this cloud's catalog; its contract goes on."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which region."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("region", metavar="<region>", help="Name of the region")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Unbind it."""
        return shown(self.plane.delete("bindings", parsed_args.region))


class ShowStatus(Lister):
    """List this cloud's bound regions: the states of their contracts, what keeps the catalog from being written, and how each one does."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which regions."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("region", metavar="<region>", nargs="*", help="Names of regions (default: all)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a region."""
        given = parsed_args.region
        bindings = [self.plane.get("bindings", name) for name in given] or self.plane.get("bindings")["bindings"]
        names = ("region", "provider", "state", "contract", "contract_state", "error")
        healths = ("state", "reason", "last_success", "latency_ms", "error_rate")
        titles = ("Region", "Provider", "State", "Contract", "Contract State", "Error", "Services")
        measured = ("Health", "Reason", "Last Success", "Latency (ms)", "Error Rate")
        return (*titles, *measured), [
            (
                *(row[name] for name in names),
                ListColumn(row["services"]),
                *(row["health"][name] for name in healths),
            )
            for row in bindings
        ]
