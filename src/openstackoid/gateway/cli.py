"""`openstackoid gateway`: serve, or say what would be served."""

import argparse
import signal
import tempfile
from pathlib import Path
from typing import Any


def register(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser("gateway", help="serve a cloud's frontends", description=__doc__)
    parser.add_argument(
        "action",
        nargs="?",
        choices=["serve", "check"],
        default="serve",
        help="serve (default), or check the configuration and say what it means",
    )
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the configuration, in YAML")
    parser.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes that serve (default: 1)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.action == "serve":
        # Until it has its effect it would end the program; what it stands for has not been read yet.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from openstackoid import notify, workers  # noqa: PLC0415 - as the next line
    from openstackoid.gateway import serve  # noqa: PLC0415 - the other commands need no aiohttp
    from openstackoid.gateway.senders.rates import WORKERS  # noqa: PLC0415 - as above
    from openstackoid.gateway.settings import config  # noqa: PLC0415 - the other commands need no aiohttp
    from openstackoid.gateway.settings import report as check  # noqa: PLC0415 - the other commands need no aiohttp

    if arguments.action == "check":
        print(check.report(config.load(arguments.config)))
        return 0
    tell = notify.tell
    if arguments.worker:
        workers.end_with_parent()
        tell = workers.tell
    elif arguments.workers > 1:
        config.load(arguments.config)
        with tempfile.TemporaryDirectory(prefix="openstackoid-metrics-") as folder:
            environment = {"PROMETHEUS_MULTIPROC_DIR": folder, WORKERS: str(arguments.workers)}
            command = ("gateway", "--config", str(arguments.config), "--worker")
            return workers.run(command, arguments.workers, environment)
    serve.run(arguments.config, shared=arguments.worker, tell=tell)
    return 0


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return int(text)
