"""`openstackoid audit`: who of which cloud did what here, under which agreement; and what our users did elsewhere."""

import argparse
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from openstackoid.commands.base import ListCommand, WithConfig


class ListAudit(WithConfig, ListCommand):
    """List requests of the audit that had a scope, or crossed between clouds."""

    summary = "who of which cloud did what, under which agreement"
    examples = """\
Who of which cloud did what here, under which agreement; and what our users did elsewhere. Between clouds of one owner tokens pass through:
the gateway does not know the user then, and the home cloud only from the scope.

  openstackoid audit --direction in --since 2h            what others did here in the last two hours
  openstackoid audit --peer CloudTwo --errors             what went wrong with CloudTwo
  openstackoid audit --user 0b1c... --direction out       what one of our users did in other clouds
  openstackoid audit --all --since 15m                    requests without a scope as well, as far as they met the gateway
  openstackoid audit -f json audit.jsonl.1 audit.jsonl    files that were rotated, too

A request stands once in the audit of each cloud that it met; --format json has the global_request_id that joins them.
"""
    columns = ("Time", "Direction", "User", "Of", "Project", "At", "Did", "Status", "Error", "Agreement")
    nothing = "nothing found"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which files, and what of them."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "files",
            nargs="*",
            metavar="FILE",
            help="audit files, oldest first, also .gz; - is standard input (default: audit of the configuration)",
        )
        parser.add_argument("--peer", metavar="NAME", help="whose users did it here, or where ours did it")
        parser.add_argument("--user", metavar="ID", help="in the user's own cloud, or here")
        parser.add_argument("--project", metavar="ID", help="in the user's own cloud, or here")
        parser.add_argument("--agreement", metavar="ID", help="or the beginning of one")
        parser.add_argument("--service", metavar="TYPE")
        parser.add_argument(
            "--direction",
            choices=("in", "out", "local"),
            help="in: by others, here; out: by our users, elsewhere; local: a scope let it stay here (default: all three)",
        )
        parser.add_argument("--all", action="store_true", help="requests without a scope as well")
        parser.add_argument(
            "--since",
            metavar="WHEN",
            help="30s, 15m, 2h, 7d, or a time such as 2030-01-31T12:00 (UTC, if it says no zone)",
        )
        parser.add_argument("--until", metavar="WHEN", help="a time as well; what ended then is left out")
        parser.add_argument("--status", metavar="STATUS", help="404, or a class of statuses: 4xx")
        parser.add_argument(
            "--request", metavar="ID", help="a global request id, which a chain or a request to several clouds shares"
        )
        parser.add_argument("--errors", action="store_true", help="only what was refused or failed")
        parser.add_argument("-n", "--lines", type=int, default=0, metavar="N", help="the last N only (default: all)")
        return parser

    def documents(self, parsed_args: argparse.Namespace) -> list[Any]:
        """Lines that were asked for, oldest first."""
        return list(_audit().search(parsed_args))

    def row(self, document: Mapping[str, Any]) -> Iterable[object]:
        """One of them."""
        return list(_audit().row(document))


def _audit() -> Any:
    return importlib.import_module("openstackoid.operators.audit")
