"""`openstackoid regions`: the control plane of virtual regions."""

import argparse
import os
from pathlib import Path

from openstackoid.commands.base import Command


class ServeRegions(Command):
    """Serve the control plane of virtual regions."""

    summary = "serve the control plane of virtual regions"
    examples = """\
  openstackoid regions serve --config /etc/openstackoid/regions.yaml        serves until SIGTERM or Ctrl-C
"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which configuration."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--config",
            type=Path,
            default=Path(os.environ.get("OPENSTACKOID_REGIONS_CONFIG") or "/etc/openstackoid/regions.yaml"),
            metavar="FILE",
            help="the configuration (default: $OPENSTACKOID_REGIONS_CONFIG, or /etc/openstackoid/regions.yaml)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve."""
        from openstackoid import logs  # noqa: PLC0415 - as the next line
        from openstackoid.regions import config, serve  # noqa: PLC0415 - help needs none of it

        logs.configure()
        return serve.run(config.load(parsed_args.config))
