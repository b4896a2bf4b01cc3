"""`openstack region offer`: what providers offer to this cloud."""

import argparse
from typing import TYPE_CHECKING, Any

from osc_lib.cli.format_columns import ListColumn
from osc_lib.exceptions import CommandError

from openstackoid.client.regions.arguments import shown
from openstackoid.client.regions.base import Lister, Show

if TYPE_CHECKING:
    from collections.abc import Iterable

_Rows = tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]


class ListOffers(Lister):
    """List the virtual regions that a provider offers to this cloud."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Whose, and which."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--provider", metavar="<cloud>", required=True, help="Name of a peer")
        parser.add_argument(
            "--require", metavar="<requirement>", help="Such as 'flavors.vcpus>=8 and location.country=FR'"
        )
        parser.add_argument("--sort", metavar="<path>", help="A path of metadata (default: price)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Rows:
        """One row an offer."""
        given = parsed_args
        offers = self.plane.get("offers", provider=given.provider, require=given.require, sort=given.sort)["offers"]
        return ("Name", "Virtual Region", "Version", "Services", "Description"), [
            (
                offer["name"],
                offer["virtual_region"],
                offer["version"],
                ListColumn(offer["services"]),
                offer["description"],
            )
            for offer in offers
        ]


class ShowOffer(Show):
    """Show an offer."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("offer", metavar="<provider/name>", help="An offer, as CloudP/north")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Its fields."""
        provider, _, name = parsed_args.offer.partition("/")
        for offer in self.plane.get("offers", provider=provider)["offers"]:
            if offer["name"] == name:
                return shown(offer)
        raise CommandError(f"{provider} offers no virtual region {name!r}")


class CompareOffers(Lister):
    """Show where offers differ."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which ones."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("offers", metavar="<provider/name>", nargs="+", help="Two offers or more, as CloudP/north")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Rows:
        """One row a difference."""
        comparison = self.plane.get("offers", "compare", offers=",".join(parsed_args.offers))
        return ("Field", *comparison["offers"]), [(path, *row) for path, row in comparison["differences"].items()]
