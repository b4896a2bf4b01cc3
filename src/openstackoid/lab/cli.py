"""``openstackoid lab``: real OpenStack clouds on this machine."""

import argparse
import json
import shlex
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .environment import default_cache
from .errors import LabError
from .lab import Lab, Status, follow
from .layout import DEFAULT_ADDRESS, DEFAULT_CLOUDS
from .processes import Health
from .state import default_directory, load

Action = Callable[[argparse.Namespace], int]


def register(subparsers: Any) -> None:
    """Add ``lab`` to the commands of ``openstackoid``."""
    lab = subparsers.add_parser("lab", help="real OpenStack clouds on this machine", description=__doc__)
    commands = lab.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = add(commands, "up", up, "start the clouds, or what of them does not run")
    command.add_argument(
        "--cloud",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a cloud of this name, once for each; default: those that the lab has, at first {' and '.join(DEFAULT_CLOUDS)}",
    )
    command.add_argument(
        "--address",
        metavar="NETWORK",
        help=f"network of the first cloud: services at .1, frontends at .2, the next cloud in the next network (default: {DEFAULT_ADDRESS})",
    )
    front = command.add_mutually_exclusive_group()
    front.add_argument("--gateway-only", action="store_true", help="without HAProxy: the gateways have the frontends")
    front.add_argument(
        "--no-gateway", action="store_true", help="without gateways; the catalogs lead to the services themselves"
    )
    command.add_argument(
        "--pass-through",
        action="store_true",
        help="clouds of one owner: users' tokens go along to the other clouds; default: each cloud has an owner of its own",
    )
    command.add_argument(
        "--projects",
        choices=("each", "same"),
        help="for each project of another cloud one of its own (the default), or the same id for both",
    )
    command.add_argument("--pseudonyms", action="store_true", help="the clouds do not learn who the others' users are")
    command.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        metavar="FOLDER",
        help="where OpenStack's services are installed (default: %(default)s)",
    )

    command = add(commands, "status", status, "say what runs; exit status 1 if something does not")
    command.add_argument("-f", "--format", choices=("table", "json"), default="table")

    command = add(commands, "env", env, 'print variables for the openstack client: eval "$(openstackoid lab env NAME)"')
    command.add_argument("name", metavar="NAME", help="a cloud, for its member; NAME-admin for its admin")

    command = add(commands, "logs", logs, "print the ends of the logs")
    command.add_argument("--cloud", metavar="NAME", help="of this cloud only")
    command.add_argument(
        "--service", metavar="TYPE", help="of this service only (compute, image, ..., gateway, haproxy)"
    )
    command.add_argument("-f", "--follow", action="store_true", help="go on as they grow")
    command.add_argument("-n", "--lines", type=int, default=10, help="lines of each (default: %(default)s)")

    add(commands, "down", down, "stop the clouds; their data stay")
    add(commands, "reset", reset, "stop the clouds and delete their data")


def add(commands: Any, name: str, action: Action, text: str) -> argparse.ArgumentParser:
    """Add one command."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument(
        "--dir",
        type=Path,
        default=default_directory(),
        metavar="FOLDER",
        help="all data of the lab (default: %(default)s)",
    )
    command.set_defaults(run=action)
    return command


def existing(arguments: argparse.Namespace) -> Lab:
    """Find the lab that a command is about."""
    if load(arguments.dir) is None:
        raise LabError(f"no lab in {arguments.dir}: 'openstackoid lab up' makes one, --dir names another folder")
    return Lab(arguments.dir)


def up(arguments: argparse.Namespace) -> int:
    """Start what does not run."""
    began = time.monotonic()
    lab = Lab(
        arguments.dir,
        arguments.cloud,
        arguments.address,
        with_gateway=False if arguments.no_gateway else None,
        with_haproxy=False if arguments.gateway_only else None,
        trust="pass-through" if arguments.pass_through else None,
        projects=arguments.projects,
        pseudonyms=arguments.pseudonyms or None,
        cache=arguments.cache,
    )
    if not lab.up(lambda line: print(line, flush=True)):
        print("all is running, nothing to do")
        return 0
    print(f"{', '.join(lab.clouds)} ready in {time.monotonic() - began:.1f} s. To use one:")
    where = "" if lab.directory == default_directory() else f" --dir {shlex.quote(str(lab.directory))}"
    print(f'  eval "$(openstackoid lab env {next(iter(lab.clouds))}{where})"')
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Print how each part is."""
    lab = existing(arguments)
    rows = lab.status()
    if arguments.format == "json":
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print_table(rows)
        print(f"\nThis lab {lab.state.meeting}.")
    return 0 if all(row.state is Health.RUNNING for row in rows) else 1


def print_table(rows: list[Status]) -> None:
    """Print rows under their titles."""
    cells = [("CLOUD", "SERVICE", "ADDRESS", "PID", "STATE", "MEMORY")]
    cells += [
        (row.cloud, row.service, row.address, str(row.pid or "-"), str(row.state), f"{row.memory / 2**20:.0f} MiB")
        for row in rows
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def env(arguments: argparse.Namespace) -> int:
    """Print the variables that make the client use one of the lab's clouds."""
    lab = existing(arguments)
    names = [entry for name in lab.clouds for entry in (name, f"{name}-admin")]
    if arguments.name not in names:
        raise LabError(f"{arguments.name!r} is none of this lab's: {', '.join(names)}")
    print(f"export OS_CLIENT_CONFIG_FILE={shlex.quote(str(lab.clouds_yaml))}")
    print(f"export OS_CLOUD={shlex.quote(arguments.name)}")
    return 0


def logs(arguments: argparse.Namespace) -> int:
    """Print the ends of the logs."""
    lab = existing(arguments)
    parts = [
        (name, part)
        for name, part in lab.parts()
        if arguments.cloud in (None, name) and arguments.service in (None, part)
    ]
    if not parts:
        kinds = ", ".join(dict.fromkeys(part for _, part in lab.parts()))
        raise LabError(f"no such log: the clouds are {', '.join(lab.clouds)}, the services {kinds}")
    paths = [path for name, part in parts if (path := lab.clouds[name].log(part)).exists()]
    return follow(paths, lines=arguments.lines, forever=arguments.follow) if paths else 0


def down(arguments: argparse.Namespace) -> int:
    """Stop all."""
    print(f"{existing(arguments).down()} processes stopped")
    return 0


def reset(arguments: argparse.Namespace) -> int:
    """Stop all, and delete the data."""
    existing(arguments).reset()
    print(f"the lab in {arguments.dir} is gone")
    return 0
