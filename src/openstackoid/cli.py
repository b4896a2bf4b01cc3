"""The program `openstackoid`: a gateway for a cloud, and clouds to try it on."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from openstackoid.core.errors import OpenStackoidError

PARTS = ("gateway", "lab")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 for what failed, 2 for what was asked wrongly."""
    parser = argparse.ArgumentParser(prog="openstackoid", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    argv = sys.argv[1:] if argv is None else argv
    # A command needs the parser of no other: each has requirements of its own.
    for part in argv[:1] if argv[:1] and argv[0] in PARTS else PARTS:
        importlib.import_module(f"openstackoid.{part}.cli").register(commands)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except OpenStackoidError as error:
        print(f"openstackoid: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(
            f"openstackoid: {error.name} is not installed: pip install 'openstackoid[{arguments.command}]'",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
