"""`openstackoid gateway`: serve, or say what would be served."""

import argparse
import os
import signal
import tempfile
from functools import partial
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

        if parsed_args.action == "check":
            print(report.report(checked(parsed_args.config)))
            return 0
        logs.configure()
        if parsed_args.workers > 1:
            checked(parsed_args.config)
            with tempfile.TemporaryDirectory(prefix="openstackoid-metrics-") as folder:
                work = partial(_work, parsed_args.config, parsed_args.workers, folder)
                return workers.run(work, parsed_args.workers)
        serve.run(parsed_args.config, shared=False, tell=notify.tell)
        return 0


def _work(config: Path, number: int, folder: str) -> None:
    """Be one of several workers, whose metrics are in a folder."""
    from openstackoid import workers  # noqa: PLC0415 - as above
    from openstackoid.gateway import serve  # noqa: PLC0415 - as above
    from openstackoid.gateway.telemetry import metrics  # noqa: PLC0415 - as above
    from openstackoid.gateway.upstream.rates import WORKERS  # noqa: PLC0415 - as above

    os.environ[WORKERS] = str(number)
    metrics.share(folder)
    serve.run(config, shared=True, tell=workers.tell)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return int(text)
