"""`openstackoid gateway`: serve, or say what would be served."""

import argparse
import signal
import tempfile
from pathlib import Path

from openstackoid.commands.base import Command


class ServeGateway(Command):
    """Serve a cloud's frontends, or check the configuration."""

    summary = "serve a cloud's frontends"
    examples = """\
  openstackoid gateway --config /etc/openstackoid/gateway.yaml              serves until SIGTERM; SIGHUP reads the file again
  openstackoid gateway check --config /etc/openstackoid/gateway.yaml        says what would be served
"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which configuration, and how many processes."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "action",
            nargs="?",
            choices=["serve", "check"],
            default="serve",
            help="serve (default), or check the configuration and say what it means",
        )
        parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the configuration, in YAML")
        parser.add_argument(
            "--workers", type=_positive, default=1, metavar="N", help="processes that serve (default: 1)"
        )
        parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve, or check."""
        if parsed_args.action == "serve":
            # Until its handler is installed the signal would end the program; the configuration has not been read yet.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        from openstackoid import logs, notify, workers  # noqa: PLC0415 - as the next line
        from openstackoid.gateway import serve  # noqa: PLC0415 - the other commands need no aiohttp
        from openstackoid.gateway.checking import checked  # noqa: PLC0415 - as above
        from openstackoid.gateway.settings import report  # noqa: PLC0415 - as above
        from openstackoid.gateway.upstream.rates import WORKERS  # noqa: PLC0415 - as above

        if parsed_args.action == "check":
            print(report.report(checked(parsed_args.config)))
            return 0
        logs.configure()
        tell = notify.tell
        if parsed_args.worker:
            workers.end_with_parent()
            tell = workers.tell
        elif parsed_args.workers > 1:
            checked(parsed_args.config)
            with tempfile.TemporaryDirectory(prefix="openstackoid-metrics-") as folder:
                environment = {"PROMETHEUS_MULTIPROC_DIR": folder, WORKERS: str(parsed_args.workers)}
                command = ("gateway", "--config", str(parsed_args.config), "--worker")
                return workers.run(command, parsed_args.workers, environment)
        serve.run(parsed_args.config, shared=parsed_args.worker, tell=tell)
        return 0


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return int(text)
