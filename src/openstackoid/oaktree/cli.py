"""`openstackoid oaktree serve`; the commands of `openstackoid oaktree call` are in `call/cli.py`."""

import argparse
import importlib
import os
from pathlib import Path

from oaktree.address import default_address
from openstackoid.commands.base import Command


class ServeOaktree(Command):
    """Serve the clouds of a clouds.yaml."""

    summary = "serve the clouds of a clouds.yaml"
    examples = """\
Serve the clouds of a clouds.yaml. Without a configuration: on a socket that only you can reach, as the user of your own clouds.yaml.

  openstackoid oaktree serve                              listens at {address}
  openstackoid oaktree serve --clouds ./clouds.yaml --listen 127.0.0.1:50051
  openstackoid oaktree serve --peers-of CloudOne          with the clouds that CloudOne's gateway leads to
  openstackoid oaktree serve --config /etc/openstackoid/oaktree.yaml --workers 4

SIGTERM and Ctrl-C end it; calls that are under way get ten seconds.
"""

    def get_epilog(self) -> str:
        """Examples, with the address of this environment."""
        return self.examples.format(address=default_address())

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """What to serve, and where."""
        parser = super().get_parser(prog_name)
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
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve."""
        # Importing the server takes a second: do not import it for the help.
        return int(importlib.import_module("openstackoid.oaktree.serving").serve(parsed_args))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
