"""`openstack virtual region`: for a provider's operators."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from openstackoid.client.regions.arguments import document, number, shown
from openstackoid.client.regions.base import Lister, Show

if TYPE_CHECKING:
    from collections.abc import Iterable

_Row = tuple[tuple[str, ...], tuple[Any, ...]]
_PATH: Final = "virtual-regions"


class CreateRegion(Show):
    """Create a virtual region, as a draft."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """What it is."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the virtual region")
        parser.add_argument("--domain", metavar="<id>", required=True, help="ID of the domain that holds its projects")
        _options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Create, and declare its metadata."""
        body = {"name": parsed_args.name, "domain_id": parsed_args.domain, "services": [], **_changes(parsed_args)}
        made = self.plane.post(_PATH, body=body)
        return shown(_declared(self, made, parsed_args.declare))


class SetRegion(Show):
    """Change a virtual region: a new version of it."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """What is new."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("region", metavar="<region>", help="Name or ID of the virtual region")
        _options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Change what was given."""
        region, changes = self.plane.get(_PATH, parsed_args.region), _changes(parsed_args)
        if changes:
            region = self.plane.patch(_PATH, region["id"], body={"version": region["version"], **changes})
        return shown(_declared(self, region, parsed_args.declare))


class ListRegions(Lister):
    """List virtual regions."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which ones."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--retired", action="store_true", help="List retired ones, too")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a region."""
        regions = self.plane.get(_PATH, retired="true" if parsed_args.retired else None)["virtual_regions"]
        names = ("id", "name", "state", "version", "contracts")
        return ("ID", "Name", "State", "Version", "Contracts"), [
            tuple(region[name] for name in names) for region in regions
        ]


class _OneRegion(Show):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("region", metavar="<region>", help="Name or ID of the virtual region")
        return parser


class ShowRegion(_OneRegion):
    """Show a virtual region."""

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Its fields."""
        return shown(self.plane.get(_PATH, parsed_args.region))


class ProbeRegion(_OneRegion):
    """Fill a virtual region's metadata with what the cloud's own APIs tell."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """What to declare beside."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--declare", metavar="<file>", type=Path, help="YAML file of metadata that no API tells")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Ask, and keep the answers with their time."""
        from openstackoid.client.regions.probing import probe  # noqa: PLC0415 - openstacksdk, for this command only

        region = self.plane.get(_PATH, parsed_args.region)
        values = probe(self.app.client_manager.sdk_connection, region["resources"])
        body = {"source": "probed", "values": values}
        probed = self.plane.post(_PATH, region["id"], "metadata", body=body)
        return shown(_declared(self, probed, parsed_args.declare))


class OfferRegion(_OneRegion):
    """Offer a virtual region to peers."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """To whom."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--peer",
            metavar="<cloud>",
            action="append",
            default=[],
            help="A peer that sees it (repeat for more; default: all)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Offer it."""
        return shown(self.plane.post(_PATH, parsed_args.region, "offer", body={"peers": parsed_args.peer}))


class WithdrawRegion(_OneRegion):
    """Offer a virtual region to nobody any more."""

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Withdraw it."""
        return shown(self.plane.post(_PATH, parsed_args.region, "withdraw"))


class DeleteRegion(_OneRegion):
    """Retire a virtual region."""

    def take_action(self, parsed_args: argparse.Namespace) -> _Row:
        """Retire it."""
        return shown(self.plane.delete(_PATH, parsed_args.region))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--description", metavar="<text>", help="For people")
    parser.add_argument(
        "--service",
        metavar="<type>",
        action="append",
        help="A service of which everything is allowed (repeat for more)",
    )
    parser.add_argument(
        "--quota", metavar="<name=number>", type=number, action="append", help="Such as cores=20 (repeat for more)"
    )
    for option in ("flavor", "image", "external-network", "zone"):
        parser.add_argument(
            f"--{option}",
            metavar="<id>",
            action="append",
            help=f"A {option.replace('-', ' ')} in the region (repeat for more)",
        )
    parser.add_argument(
        "--of-region",
        metavar="<region>",
        help="The region is a part of this region, which this cloud itself has from another",
    )
    parser.add_argument("--declare", metavar="<file>", type=Path, help="YAML file of metadata that no API tells")


def _changes(given: argparse.Namespace) -> dict[str, Any]:
    kinds = {
        "flavors": given.flavor,
        "images": given.image,
        "external_networks": given.external_network,
        "zones": given.zone,
        "region": given.of_region,
    }
    resources = {name: values for name, values in kinds.items() if values is not None}
    changes = {
        "description": given.description,
        "services": given.service,
        "quota": dict(given.quota) if given.quota else None,
        "resources": resources or None,
    }
    return {name: value for name, value in changes.items() if value is not None}


def _declared(ours: Show, region: dict[str, Any], file: Path | None) -> dict[str, Any]:
    if file is None:
        return region
    return ours.plane.post(_PATH, region["id"], "metadata", body={"source": "declared", "values": document(file)})
