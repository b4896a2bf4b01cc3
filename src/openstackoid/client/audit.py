"""`openstack cloud audit list`: who used what, as the gateway of the cloud has it on record; for its operators."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from keystoneauth1.exceptions import ClientException
from osc_lib.cli.format_columns import ListColumn
from osc_lib.command import command
from osc_lib.exceptions import CommandError

from openstackoid.core.protocol import AUDIT_PATH

if TYPE_CHECKING:
    from openstackoid.client.gateway import Gateway

_PAGE: Final = 1000  # lines that a gateway gives at once
_SHOWN: Final = 120  # characters of an answer that is not what was asked for
_COLUMNS: Final = ("Time", "Direction", "User", "Of", "Project", "At", "Request", "Status", "Error")
_LONG: Final = ("Agreement", "Client", "Milliseconds", "Request ID", "Global Request ID")
_FIELDS: Final = ("agreement", "client", "ms", "request_id", "global_request_id")


class ListAudit(command.Lister):
    """List requests that had a scope or crossed between clouds, newest first; a chain and a request to several clouds have one global request id."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which requests."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        when = "30s, 15m, 2h, 7d, or a time such as 2030-01-31T12:00 (UTC, if it says no zone)"
        for name, metavar, text in (
            ("since", "when", f"Not older than this: {when}"),
            ("until", "when", "Older than this, a time as well"),
            ("peer", "cloud", "Whose users did it here, or which cloud served ours"),
            ("user", "id", "In the user's own cloud, or here"),
            ("project", "id", "In the user's own cloud, or here"),
            ("agreement", "id", "Or the beginning of one"),
            ("service", "type", "Service type such as image"),
            ("status", "status", "404, or a class of statuses: 4xx"),
            ("request", "id", "A global request id, or the request id of an answer"),
        ):
            parser.add_argument(f"--{name}", metavar=f"<{metavar}>", help=text)
        parser.add_argument(
            "--direction",
            choices=("in", "out", "local"),
            help="in: by others, here; out: by our users, elsewhere; local: a scope let it stay here (default: all three)",
        )
        parser.add_argument("--errors", action="store_true", help="Only what was refused or failed")
        parser.add_argument("--all", action="store_true", help="Requests without a scope as well")
        parser.add_argument(
            "--limit", type=_positive, default=100, metavar="<number>", help="The newest of them (default: 100)"
        )
        parser.add_argument(
            "--long", action="store_true", help="Show also agreement, client, time taken and request ids"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """One row a request."""
        names = ("since", "until", "peer", "user", "project", "agreement", "service", "status", "request", "direction")
        query = {name: getattr(parsed_args, name) for name in names if getattr(parsed_args, name)}
        query |= {name: "true" for name in ("errors", "all") if getattr(parsed_args, name)}
        lines: list[dict[str, Any]] = []
        marker = ""
        while len(lines) < parsed_args.limit:
            asked = (
                query
                | {"limit": str(min(_PAGE, parsed_args.limit - len(lines)))}
                | ({"marker": marker} if marker else {})
            )
            page = self._page(asked)
            lines += page["lines"]
            marker = page.get("next") or ""
            if not marker:
                break
        titles = _COLUMNS + (_LONG if parsed_args.long else ())
        return titles, [_row(line)[: len(titles)] for line in lines]

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        manager: Any = self.app.client_manager  # has an attribute for each plugin: plugin.API_NAME
        gateway: Gateway = manager.scope
        url = f"{gateway.origin}{AUDIT_PATH}?{urlencode(query)}"
        try:
            answer = manager.session.get(url, raise_exc=False, redirect=False)
        except ClientException as error:
            raise CommandError(f"No answer to GET {url}: {error}") from error
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.ok and isinstance(body, dict) and isinstance(body.get("lines"), list):
            return body
        refusal = body.get("error") if isinstance(body, dict) else None
        if isinstance(refusal, dict) and "openstackoid_code" in refusal:
            hint = (
                " (operators in the gateway's configuration)" if refusal["openstackoid_code"] == "path.missing" else ""
            )
            raise CommandError(
                f"{refusal.get('message')}{hint} (HTTP {answer.status_code}, {refusal['openstackoid_code']})"
            )
        came = " ".join(answer.text[:_SHOWN].split())
        raise CommandError(
            f"No OpenStackoid gateway at {gateway.origin}: expected a page of audit, got HTTP {answer.status_code}: {came or 'nothing'}"
        )


def _row(line: dict[str, Any]) -> tuple[Any, ...]:
    legs = line.get("legs")
    several = [str(leg.get("peer")) for leg in legs if isinstance(leg, dict)] if isinstance(legs, list) else []
    there = line.get("peer") if line.get("decision") == "remote" else line.get("cloud")
    did = " ".join(str(line.get(key) or "") for key in ("method", "service", "path"))
    known = [line.get(name) for name in ("time", "direction", "user", "home", "project")]
    error = "damaged line" if "damaged" in line else line.get("error")
    return (
        *known,
        ListColumn(several) if several else there,
        did,
        line.get("status"),
        error,
        *(line.get(name) for name in _FIELDS),
    )


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text!r}")
    return int(text)
