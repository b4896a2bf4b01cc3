"""`openstack replica list`, `show`, `check`, `repair`, `adopt` and `forget`: resources that were created in several clouds at once.

The gateway keeps replicas by project, so these commands log in.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from osc_lib.cli.format_columns import ListColumn
from osc_lib.command import command
from osc_lib.exceptions import CommandError

from openstackoid.core.protocol import REPLICAS_PATH

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_ANSWERS = frozenset({"replica", "replicas", "copy"})
_REPAIRED = frozenset({"same", "changed", "created", "gone"})
_SHOWN = 120  # characters of an answer that is not what was asked for


class ListReplica(command.Lister):
    """List the project's replicas: resources that were created in several clouds at once."""

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """What to list."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--operations", action="store_true", help="List the changes that have not reached every cloud yet instead"
        )
        return parser

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a replica, or an operation."""
        body = _ask(self, "GET", "")
        if parsed_args.operations:
            return ("ID", "Replica", "Kind", "Does", "Clouds"), [
                (one["id"], one["replica"], one["kind"], one["does"], ListColumn(list(map(_part, one["clouds"]))))
                for one in body["operations"]
            ]
        return ("ID", "Kind", "Members", "Created At"), [
            (one["id"], one["kind"], ListColumn(list(map(_member, one["members"]))), _time(one["created_at"]))
            for one in body["replicas"]
        ]


class ShowReplica(command.ShowOne):
    """Show a replica and its members."""

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """Which one."""
        return _with_id(super().get_parser(prog_name))

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """The replica."""
        return _replica(_ask(self, "GET", f"?id={quote(parsed_args.replica)}")["replica"])


class CheckReplica(command.Lister):
    """Ask each cloud whether it has its member of a replica."""

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """Which one."""
        return _with_id(super().get_parser(prog_name))

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a member."""
        one = _ask(self, "GET", f"?id={quote(parsed_args.replica)}&check=1")["replica"]
        return ("Cloud", "ID", "State"), [(member["cloud"], member["id"], member["state"]) for member in one["members"]]


class RepairReplica(command.Lister):
    """Bring the members of replicas in line: create what a cloud has lost, and give all what was written last."""

    _failed = False

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """Which ones."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("replica", metavar="<replica>", nargs="?", help="ID of the replica")
        chosen.add_argument("--all", action="store_true", help="Repair all replicas of the project")
        parser.add_argument(
            "--from",
            dest="source",
            metavar="<cloud>",
            help="Make the members like that of this cloud (default: what was written last through the gateway)",
        )
        return parser

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a member."""
        more = f"&from={quote(parsed_args.source)}" if parsed_args.source else ""
        names = [parsed_args.replica]
        if parsed_args.all:
            names = [one["id"] for one in _ask(self, "GET", "")["replicas"]]
        rows = []
        for name in names:
            for member in _ask(self, "POST", f"?id={quote(name)}{more}")["replica"]["members"]:
                self._failed |= member["state"] not in _REPAIRED
                rows.append((name, member["cloud"], member["id"], member["state"], ListColumn(member["fields"])))
        return ("Replica", "Cloud", "ID", "State", "Fields"), rows

    def run(self, parsed_args: "argparse.Namespace") -> int:
        """Run; 1 if a member is not as it should be."""
        code: int = super().run(parsed_args)
        return code or int(self._failed)


class AdoptReplica(command.ShowOne):
    """Make one replica of resources that several clouds have already."""

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """Of what."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("kind", metavar="<kind>", help="Kind of the resources, such as network or image")
        parser.add_argument(
            "members", metavar="<cloud>=<id>", nargs="+", help="The resource of each cloud: two clouds or more"
        )
        parser.add_argument(
            "--differing", action="store_true", help="They may differ in what `replica repair` makes alike"
        )
        return parser

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """The replica."""
        members = {cloud: name for cloud, _, name in (text.partition("=") for text in parsed_args.members)}
        wish = {"kind": parsed_args.kind, "members": members, "differing": parsed_args.differing}
        return _replica(ask(self, "POST", REPLICAS_PATH, wish)["replica"])


class ForgetReplica(command.Command):
    """Forget a replica: its members stay in their clouds, and are changed one by one from now on."""

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """Which one."""
        return _with_id(super().get_parser(prog_name))

    def take_action(self, parsed_args: "argparse.Namespace") -> None:
        """Forget it."""
        _ask(self, "DELETE", f"?id={quote(parsed_args.replica)}")


def _with_id(parser: Any) -> "argparse.ArgumentParser":
    parser.add_argument("replica", metavar="<replica>", help="ID of the replica (X-Scope-Replica, or `replica list`)")
    parser_: argparse.ArgumentParser = parser
    return parser_


def ask(ours: command.Command, method: str, path: str, document: Any = None) -> dict[str, Any]:
    """Ask the gateway of the entry cloud, with the user's token.

    Args:
        ours: the command that asks.
        method: HTTP method.
        path: of the gateway, with a query.
        document: JSON of the body.

    Raises:
        CommandError: it refuses, or is no gateway.
    """
    manager: Any = ours.app.client_manager
    url = f"{manager.scope.origin}{path}"
    more = {} if document is None else {"json": document}
    answer = manager.session.request(url, method, raise_exc=False, **more)
    try:
        body = answer.json() if answer.text else {}
    except ValueError:
        body = None
    if isinstance(body, dict):
        refusal = body.get("error")
        if isinstance(refusal, dict):
            raise CommandError(f"{refusal.get('message')} (HTTP {answer.status_code})")
        if answer.ok and (method == "DELETE" or _ANSWERS & body.keys()):
            return body
    came = " ".join(answer.text[:_SHOWN].split())
    raise CommandError(f"Expected a gateway's JSON answer to {method} {url}, got HTTP {answer.status_code}: {came}")


def _ask(ours: command.Command, method: str, query: str) -> dict[str, Any]:
    return ask(ours, method, f"{REPLICAS_PATH}{query}")


def _replica(one: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    members = ListColumn(list(map(_member, one["members"])))
    return ("id", "kind", "members", "created_at"), (one["id"], one["kind"], members, _time(one["created_at"]))


def _member(member: dict[str, Any]) -> str:
    return f"{member['cloud']}: {member['id']}"


def _part(part: dict[str, Any]) -> str:
    why = f" ({part['error']})" if part.get("error") else ""
    return f"{part['cloud']}: {part['stage']}{why}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
