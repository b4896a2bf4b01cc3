"""The program `openstackoid`: a gateway for a cloud, agreements with other clouds, one API for many clouds, and clouds to try it on."""

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from openstackoid.core.errors import OpenStackoidError

# Command -> the package whose `cli` knows it.
PARTS: Final[Mapping[str, str]] = {
    "gateway": "gateway",
    "peer": "operators",
    "key": "operators",
    "audit": "operators",
    "haproxy": "operators",
    "database": "operators",
    "lab": "lab",
    "oaktree": "oaktree",
}
# Command -> the extra that brings what it needs.
_EXTRAS: Final[Mapping[str, str]] = {"lab": "lab", "oaktree": "oaktree"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 for what failed, 2 for what was asked wrongly."""
    parser = argparse.ArgumentParser(prog="openstackoid", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    argv = sys.argv[1:] if argv is None else argv
    # A command needs the parser of no other: each has requirements of its own.
    asked = [PARTS[argv[0]]] if argv[:1] and argv[0] in PARTS else dict.fromkeys(PARTS.values())
    for part in asked:
        importlib.import_module(f"openstackoid.{part}.cli").register(commands)
    arguments = parser.parse_args(argv)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has read enough. Nothing may be written at the interpreter's end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OpenStackoidError as error:
        print(f"openstackoid: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(
            f"openstackoid: {error.name} is not installed: "
            f"pip install 'openstackoid[{_EXTRAS.get(arguments.command, 'gateway')}]'",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
    return code
