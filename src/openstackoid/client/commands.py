"""`openstack scope explain`, `openstack scope list` and `openstack cloud peer list`.

They ask the gateway and need no login (`auth_required`, read by osc_lib's OpenStackShell.prepare_to_run_command), so they
answer even when a scope is what keeps a user from logging in.
"""

from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn
from osc_lib.cli.format_columns import DictColumn, ListColumn
from osc_lib.command import command
from osc_lib.exceptions import CommandError

from openstackoid.core.scope import REST
from openstackoid.core.services import service_type

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from openstackoid.client.gateway import Gateway


class LinesColumn(FormattableColumn):  # type: ignore[type-arg]  # older cliffs are not generic
    """Sentences, one a line for people, a list for machines."""

    def human_readable(self) -> str:
        """The sentences under each other."""
        return "\n".join(self._value)


class ExplainScope(command.Lister):
    """Show which cloud would serve a request of each service, and why; nothing is done."""

    auth_required = False

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """Which services, and for which request."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "service",
            metavar="<service>",
            nargs="*",
            help="Service type such as image (default: those of the cloud, and those that the scope names)",
        )
        parser.add_argument("--method", metavar="<method>", default="GET", help="Method of the request (default: GET)")
        parser.add_argument(
            "--path", metavar="<path>", default="/", help="Path of the request, such as /v2.1/servers (default: /)"
        )
        return parser

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a service."""
        gateway = _gateway(self)
        services = _types(parsed_args.service) if parsed_args.service else _all(gateway)
        answers = [(name, gateway.explain(name, method=parsed_args.method, path=parsed_args.path)) for name in services]
        return ("Service", "Cloud", "Decision", "Why"), [
            (name, answer.get("cloud") or "", answer["decision"], LinesColumn(_why(answer))) for name, answer in answers
        ]


class ListScope(command.Lister):
    """List the saved scopes of this cloud, for clients that cannot send a scope: each has an auth URL of its own."""

    auth_required = False

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:  # noqa: ARG002 - cliff gives it
        """One row a scope."""
        scopes = _gateway(self).scopes()
        return ("Name", "Scope", "Auth URL"), [
            (saved.get("name"), DictColumn(dict(saved.get("scope") or {})), saved.get("auth_url")) for saved in scopes
        ]


class ListPeer(command.Lister):
    """List the clouds that this cloud collaborates with."""

    auth_required = False

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """How much to show."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--long",
            action="store_true",
            help="Show also how tokens reach the peer, the round trip to it, and its last error",
        )
        return parser

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a peer."""
        gateway = _gateway(self)
        columns: tuple[str, ...] = ("Name", "URL", "Services", "Labels", "State")
        if parsed_args.long:
            columns = (*columns, "Token", "Round Trip (ms)", "Error")
        return columns, [_row(peer)[: len(columns)] for peer in gateway.peers()]


def _gateway(ours: command.Lister) -> "Gateway":
    manager: Any = ours.app.client_manager  # has an attribute for each plugin: plugin.API_NAME
    gateway: Gateway = manager.scope
    return gateway


def _types(names: "Iterable[str]") -> list[str]:
    types = []
    for name in names:
        kind = service_type(name)
        if kind is None:
            raise CommandError(f"Expected a service type such as image, not {name!r}")
        types.append(kind)
    return list(dict.fromkeys(types))


def _all(gateway: "Gateway") -> list[str]:
    named = {kind for kind, _ in gateway.scope.entries if kind != REST}
    return sorted({*gateway.services(), *named})


def _why(answer: dict[str, Any]) -> list[str]:
    why = [str(sentence) for sentence in answer.get("why") or []]
    error = answer.get("error") or {}
    message = str((error.get("error") or error).get("message") or "") if isinstance(error, dict) else str(error)
    return [*why, message] if message and message not in why else why


def _row(peer: dict[str, Any]) -> tuple[Any, ...]:
    return (
        peer.get("name"),
        peer.get("url"),
        ListColumn(list(peer.get("services") or [])),
        ListColumn(list(peer.get("labels") or [])),
        peer.get("state"),
        peer.get("token"),
        peer.get("round_trip_ms"),
        peer.get("error") or "",
    )
