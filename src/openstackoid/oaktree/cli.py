"""`openstackoid oaktree`: the command line of `serve`; that of `call` is in `call/words.py`."""

import argparse
import importlib
import os
from pathlib import Path
from typing import Any, Final

from oaktree.address import default_address
from openstackoid.oaktree.call import words

_ABOUT: Final = """\
One API for many clouds: every cloud of a clouds.yaml behind one gRPC endpoint.

  openstackoid oaktree serve                              for yourself alone, on a Unix socket
  openstackoid oaktree call list servers                  every server of every cloud
  openstackoid oaktree call create image --help           in all of them at once
"""
_SERVE: Final = f"""\
Serve the clouds of a clouds.yaml. Without a configuration: on a socket that only you can reach, as the user of your own clouds.yaml.

  openstackoid oaktree serve                              listens at {default_address()}
  openstackoid oaktree serve --clouds ./clouds.yaml --listen 127.0.0.1:50051
  openstackoid oaktree serve --peers-of CloudOne          with the clouds that CloudOne's gateway leads to
  openstackoid oaktree serve --config /etc/openstackoid/oaktree.yaml --workers 4

SIGTERM and Ctrl-C end it; calls that are under way get ten seconds.
"""


def register(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands to the program's parser."""
    parser = commands.add_parser(
        "oaktree",
        help="one API for many clouds",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _serve(actions)
    words.register(actions)


def _serve(actions: Any) -> None:
    parser = actions.add_parser(
        "serve",
        help="serve the clouds of a clouds.yaml",
        description=_SERVE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = os.environ.get("OAKTREE_CONFIG")
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(default) if default else None,
        metavar="FILE",
        help="the configuration (default: $OAKTREE_CONFIG, or none)",
    )
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDRESS",
        help="unix:/PATH or HOST:PORT, instead of the configuration's; can be repeated",
    )
    parser.add_argument(
        "--clouds", type=Path, metavar="FILE", help="the clouds.yaml (default: where openstacksdk looks for one)"
    )
    parser.add_argument(
        "--peers-of",
        action="append",
        metavar="CLOUD",
        help="a cloud of the clouds.yaml whose OpenStackoid gateway leads to others: serve them, too, as CLOUD:PEER; can be repeated",
    )
    parser.add_argument("--workers", type=_positive, metavar="N", help="processes, instead of the configuration's")
    # For the worker processes that `server.run` starts.
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> int:
    # Importing the server takes a second: do not import it for the help and for calls.
    return int(importlib.import_module("openstackoid.oaktree.serving").serve(arguments))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
