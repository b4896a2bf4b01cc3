"""`openstackoid regions`: the control plane of virtual regions."""

import argparse
import os
from pathlib import Path

from openstackoid.commands.base import Command


class _Configured(Command):
    """A command with the control plane's configuration."""

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


class ServeRegions(_Configured):
    """Serve the control plane of virtual regions."""

    summary = "serve the control plane of virtual regions"
    examples = """\
  openstackoid regions serve --config /etc/openstackoid/regions.yaml        serves until SIGTERM or Ctrl-C
"""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve."""
        from openstackoid import logs  # noqa: PLC0415 - as the next line
        from openstackoid.regions import config, serve  # noqa: PLC0415 - help needs none of it

        logs.configure()
        return serve.run(config.load(parsed_args.config))


class CheckRegions(_Configured):
    """Try what the accounts of the control plane may do."""

    summary = "try what the control plane's accounts may do, and say what is missing"
    examples = """\
  openstackoid regions check --config /etc/openstackoid/regions.yaml        one line for each right; 1 if one is missing
"""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Check."""
        import asyncio  # noqa: PLC0415 - help needs none of it

        from openstackoid.output import printable  # noqa: PLC0415
        from openstackoid.regions import checking, config, serve  # noqa: PLC0415

        settings = config.load(parsed_args.config)

        async def check() -> list[checking.Finding]:
            async with serve.control_of(settings) as control:
                return await checking.check(control, settings, control.worker.accounts if control.worker else None)

        findings = asyncio.run(check())
        for finding in findings:
            print(f"{'FAULT' if finding.fault else 'ok   '}  {printable(finding.what)}")
            if finding.fault:
                print(f"       {printable(finding.fault)}\n       remedy: {printable(finding.remedy)}")
            elif finding.remedy:
                print(f"       by hand: {printable(finding.remedy)}")
        return int(any(finding.fault for finding in findings))
