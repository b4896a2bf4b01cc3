"""`openstackoid lab ...`: real OpenStack clouds on this machine."""

import argparse
import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openstackoid.commands.base import Command, ListCommand, Words
from openstackoid.lab.environment import default_cache
from openstackoid.lab.errors import LabError
from openstackoid.lab.layout import DEFAULT_ADDRESS, DEFAULT_AGGREGATOR, DEFAULT_CLOUDS
from openstackoid.lab.processes import Health
from openstackoid.lab.state import default_directory, load

if TYPE_CHECKING:
    from openstackoid.lab.lab import Lab


class _WithDirectory(Words):
    """A command about the lab in a folder."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """With --dir."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--dir",
            type=Path,
            default=default_directory(),
            metavar="FOLDER",
            help="all data of the lab (default: %(default)s)",
        )
        return parser


class StartLab(_WithDirectory, Command):
    """Start the clouds."""

    summary = "start the clouds, or what of them does not run"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which clouds, and how they meet."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--cloud",
            action="append",
            default=[],
            metavar="NAME",
            help=f"a cloud of this name, once for each; default: those that the lab has, at first {' and '.join(DEFAULT_CLOUDS)}",
        )
        parser.add_argument(
            "--address",
            metavar="NETWORK",
            help=f"network of the first cloud: services at .1, frontends at .2, the next cloud in the next network (default: {DEFAULT_ADDRESS})",
        )
        front = parser.add_mutually_exclusive_group()
        front.add_argument(
            "--gateway-only", action="store_true", help="without HAProxy: the gateways have the frontends"
        )
        front.add_argument(
            "--no-gateway", action="store_true", help="without gateways; the catalogs lead to the services themselves"
        )
        parser.add_argument(
            "--pass-through",
            action="store_true",
            help="clouds of one owner: users' tokens go along to the other clouds; default: each cloud has an owner of its own",
        )
        parser.add_argument(
            "--projects",
            choices=("each", "same"),
            help="for each project of another cloud one of its own (the default), or the same id for both",
        )
        parser.add_argument(
            "--pseudonyms", action="store_true", help="the clouds do not learn who the others' users are"
        )
        parser.add_argument(
            "--dashboard", action="store_true", help="a Horizon for each cloud; an existing lab gets it, too"
        )
        parser.add_argument(
            "--aggregator",
            action="store_true",
            help="the first cloud is an aggregator, with identity alone, the others are providers of virtual regions "
            f"(default: {', '.join(DEFAULT_AGGREGATOR)}); the aggregator has a Horizon",
        )
        parser.add_argument(
            "--volumes", action="store_true", help="each cloud but an aggregator has block storage (cinder)"
        )
        parser.add_argument(
            "--buyer",
            metavar="NAME",
            help="with --aggregator: another aggregator, which can buy regions from the first one and sell them on",
        )
        parser.add_argument(
            "--cache",
            type=Path,
            default=default_cache(),
            metavar="FOLDER",
            help="where OpenStack's services are installed (default: %(default)s)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Start what does not run."""
        from openstackoid.lab.lab import Lab  # noqa: PLC0415 - needs the extra `lab`, as help does not

        began = time.monotonic()
        lab = Lab(
            parsed_args.dir,
            parsed_args.cloud,
            parsed_args.address,
            with_gateway=False if parsed_args.no_gateway else None,
            with_haproxy=False if parsed_args.gateway_only else None,
            trust="pass-through" if parsed_args.pass_through else None,
            projects=parsed_args.projects,
            pseudonyms=parsed_args.pseudonyms or None,
            with_dashboard=parsed_args.dashboard or None,
            aggregator=parsed_args.aggregator or None,
            aggregator_dashboard=parsed_args.aggregator or None,
            with_volumes=parsed_args.volumes or None,
            buyer=parsed_args.buyer,
            cache=parsed_args.cache,
        )
        if not lab.up(lambda line: print(line, flush=True)):
            print("all is running, nothing to do")
            return 0
        print(f"{', '.join(lab.clouds)} ready in {time.monotonic() - began:.1f} s. To use one:")
        where = "" if lab.directory == default_directory() else f" --dir {shlex.quote(str(lab.directory))}"
        print(f'  eval "$(openstackoid lab env {next(iter(lab.clouds))}{where})"')
        dashboards = [cloud for cloud in lab.clouds.values() if cloud.with_dashboard]
        if dashboards:
            print("In a browser, as alice or admin with the password in clouds.yaml:")
            for cloud in dashboards:
                print(f"  {cloud.name}: {cloud.dashboard}")
        return 0


class ListStatus(_WithDirectory, ListCommand):
    """List the parts of the clouds, and how they are."""

    summary = "say what runs; exit status 1 if something does not"
    columns = ("Cloud", "Service", "Address", "PID", "State", "Memory")
    nothing = "nothing"

    def documents(self, parsed_args: argparse.Namespace) -> list[Any]:
        """All parts."""
        self._lab = existing(parsed_args.dir)
        rows = self._lab.status()
        self._all_run = all(row.state is Health.RUNNING for row in rows)
        return [asdict(row) for row in rows]

    def row(self, document: Mapping[str, Any]) -> Iterable[object]:
        """One of them."""
        keys = ("cloud", "service", "address", "pid", "state")
        return [*(document[key] for key in keys), f"{document['memory'] / 2**20:.0f} MiB"]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print them, and in a table how the clouds meet; the exit code says whether all run."""
        super().run(parsed_args)
        if parsed_args.formatter == "table":
            print(f"\nThis lab {self._lab.state.meeting}.")
        return 0 if self._all_run else 1


class PrintEnvironment(_WithDirectory, Command):
    """Print variables that make the client use one of the lab's clouds."""

    summary = 'print variables for the openstack client: eval "$(openstackoid lab env NAME)"'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which cloud."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="a cloud, for its member; NAME-admin for its admin")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print them."""
        lab = existing(parsed_args.dir)
        names = [entry for name in lab.clouds for entry in (name, f"{name}-admin")]
        if parsed_args.name not in names:
            raise LabError(f"{parsed_args.name!r} is none of this lab's: {', '.join(names)}")
        print(f"export OS_CLIENT_CONFIG_FILE={shlex.quote(str(lab.clouds_yaml))}")
        print(f"export OS_CLOUD={shlex.quote(parsed_args.name)}")
        return 0


class PrintLogs(_WithDirectory, Command):
    """Print the ends of the logs."""

    summary = "print the ends of the logs"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which logs, and how much of them."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--cloud", metavar="NAME", help="of this cloud only")
        parser.add_argument(
            "--service", metavar="TYPE", help="of this service only (compute, image, ..., gateway, haproxy)"
        )
        parser.add_argument("-f", "--follow", action="store_true", help="go on as they grow")
        parser.add_argument("-n", "--lines", type=int, default=10, help="lines of each (default: %(default)s)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print them."""
        from openstackoid.lab.lab import follow  # noqa: PLC0415 - needs the extra `lab`, as help does not

        lab = existing(parsed_args.dir)
        parts = [
            (name, part)
            for name, part in lab.parts()
            if parsed_args.cloud in (None, name) and parsed_args.service in (None, part)
        ]
        if not parts:
            kinds = ", ".join(dict.fromkeys(part for _, part in lab.parts()))
            raise LabError(f"no such log: the clouds are {', '.join(lab.clouds)}, the services {kinds}")
        paths = [path for name, part in parts if (path := lab.clouds[name].log(part)).exists()]
        return follow(paths, lines=parsed_args.lines, forever=parsed_args.follow) if paths else 0


class StopLab(_WithDirectory, Command):
    """Stop the clouds."""

    summary = "stop the clouds; their data stay"

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Stop all."""
        print(f"{existing(parsed_args.dir).down()} processes stopped")
        return 0


class ResetLab(_WithDirectory, Command):
    """Stop the clouds and delete their data."""

    summary = "stop the clouds and delete their data"

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Stop all, and delete the data."""
        existing(parsed_args.dir).reset()
        print(f"the lab in {parsed_args.dir} is gone")
        return 0


def existing(directory: Path) -> "Lab":
    """Open the lab in a folder.

    Raises:
        LabError: there is none.
    """
    from openstackoid.lab.lab import Lab  # noqa: PLC0415 - needs the extra `lab`, as help does not

    if load(directory) is None:
        raise LabError(f"no lab in {directory}: 'openstackoid lab up' makes one, --dir names another folder")
    return Lab(directory)
