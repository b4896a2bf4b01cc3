"""`openstackoid peer ...`: agreements with other clouds."""

import argparse
import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from openstackoid.commands.base import Command, ListCommand, ShowCommand, WithConfig

_GRANT: Final = """\
What they may do here. Options that are not given leave what was said before; "none" empties a list.

  --service image                                    everything of the image service
  --rule "GET image /v2/images/**"                   or exactly this: * is one segment of a path, ** is anything
  --role member --role auditor=reader                their members are members here, their auditors readers; the rest nothing
  --projects each:default                            a project for each of theirs, in this domain; same: the one with the same id
  --home "GET image /v2/images/**"                   what their services may ask of ours for our own users
"""
_FINGERPRINT: Final = "--fingerprint"


def _module(name: str) -> Any:
    return importlib.import_module(f"openstackoid.operators.{name}")


class _WithFingerprint(WithConfig):
    """One of 64 fingerprints begins with a dash, which argparse would take for an option."""

    def words(self, argv: list[str]) -> list[str]:
        """Join the option and its value."""
        joined: list[str] = []
        for word in argv:
            if joined and joined[-1] == _FINGERPRINT:
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        return joined


class AddPeer(_WithFingerprint, Command):
    """Note a peer, after its operator's fingerprint was compared."""

    summary = "note a cloud, and what it may do here once you allow it"
    examples = _GRANT

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which cloud, and what it may do."""
        parser = super().get_parser(prog_name)
        parser.add_argument("url", metavar="URL", help="where its gateway meets peers, as its operator told you")
        parser.add_argument(_FINGERPRINT, metavar="FP", help="of its key, as its operator told you; it must be there")
        parser.add_argument("--allow", action="store_true", help="say yes at once")
        parser.add_argument("--yes", action="store_true", help="do not ask; needs --fingerprint")
        _add_grant(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Add it."""
        return int(_module("adding").add(parsed_args))


class ListPeers(WithConfig, ListCommand):
    """List the peers of the database and of the configuration file."""

    summary = "list all peers, those of the configuration file too"
    columns = ("Peer", "State", "From", "Token", "URL", "May use here")
    nothing = "no peers"

    def documents(self, parsed_args: argparse.Namespace) -> list[Any]:
        """All peers."""
        return list(_module("showing").peers(parsed_args.config))

    def row(self, document: Mapping[str, Any]) -> Iterable[object]:
        """One of them."""
        return [
            *(document[key] for key in ("name", "state", "from", "token", "url")),
            _module("showing").offer(document),
        ]


class ShowPeer(WithConfig, ShowCommand):
    """Show both sides of an agreement."""

    summary = "show both sides of an agreement"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        return _add_name(super().get_parser(prog_name))

    def document(self, parsed_args: argparse.Namespace) -> dict[str, Any]:
        """Our side, and what the gateway knows of theirs."""
        self._peer = _module("showing").Peer(parsed_args.config, parsed_args.name)
        return dict(self._peer.document)

    def fields(self, document: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
        """The same for people."""
        del document
        yield from self._peer.fields()


class AllowPeer(WithConfig, Command):
    """Say yes."""

    summary = "say yes, or change what is allowed"
    examples = _GRANT

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which peer, and what it may do."""
        parser = _add_name(super().get_parser(prog_name))
        _add_grant(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Allow it."""
        return int(_module("changing").allow(parsed_args))


class SuspendPeer(WithConfig, Command):
    """Take the yes back."""

    summary = "take the yes back; what was agreed is kept"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which peer."""
        return _add_name(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Suspend it."""
        return int(_module("changing").suspend(parsed_args))


class RemovePeer(WithConfig, Command):
    """End an agreement."""

    summary = "end the agreement, and forget the peer's keys and which projects stood for its own"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        return _add_name(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Remove it."""
        return int(_module("changing").remove(parsed_args))


class ForgetProject(WithConfig, Command):
    """Forget which projects stand for a peer's."""

    summary = "forget which projects of ours stand for projects that the peer has deleted"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which peer, and which projects."""
        parser = _add_name(super().get_parser(prog_name))
        parser.add_argument("project", nargs="+", metavar="PROJECT", help="id in the peer's cloud, as peer show has it")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Forget them."""
        return int(_module("changing").forget(parsed_args))


class TrustPeer(_WithFingerprint, Command):
    """Pin another key of a peer."""

    summary = "trust a peer's new key, after its old one was compromised"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which peer, and which key."""
        parser = _add_name(super().get_parser(prog_name))
        parser.add_argument(
            _FINGERPRINT, required=True, metavar="FP", help="of the new key, as the peer's operator told you"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Pin it."""
        return int(_module("adding").trust(parsed_args))


class ShowHistory(WithConfig, ListCommand):
    """List who changed which agreement when."""

    summary = "who changed which agreement when"
    columns = ("Time", "Peer", "Event", "By", "State", "Agreement", "What")
    nothing = "no changes yet"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Of which peer."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", nargs="?", metavar="NAME", help="of this cloud only; also one that was removed")
        return parser

    def documents(self, parsed_args: argparse.Namespace) -> list[Any]:
        """All changes, oldest first."""
        return list(_module("showing").history(parsed_args.config, parsed_args.name))

    def row(self, document: Mapping[str, Any]) -> Iterable[object]:
        """One of them."""
        keys = ("time", "peer", "event", "by")
        state, agreement = document["state"] or "gone", document["agreement"]
        return [*(document[key] for key in keys), state, agreement, _module("showing").change(document["detail"])]


def _add_name(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name", metavar="NAME", help="the other cloud")
    return parser


def _add_grant(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what they may do here")
    group.add_argument("--service", action="append", metavar="TYPE", help="everything of a service; can be repeated")
    group.add_argument("--rule", action="append", metavar='"METHOD SERVICE PATH"', help="one thing; can be repeated")
    group.add_argument(
        "--role",
        action="append",
        metavar="THEIRS[=OURS]",
        help="a role of theirs that counts, and as which of ours; can be repeated (at first: member, reader)",
    )
    group.add_argument(
        "--admin-roles",
        metavar="WORD",
        help="needed for a role with power over everything; asking for one tells the word",
    )
    group.add_argument(
        "--projects",
        metavar="same|one:ID|each:DOMAIN",
        help="which project of ours stands for theirs (at first: each:default)",
    )
    group.add_argument(
        "--most-projects", metavar="N", help="projects that each:DOMAIN makes on demand, at most (at first: 1000)"
    )
    group.add_argument("--rate", metavar="N", help="requests a second of all their users together; none: no limit")
    group.add_argument(
        "--home",
        action="append",
        metavar='"METHOD SERVICE PATH"',
        help="what their services may ask of ours for our users; can be repeated (at first: reading images)",
    )
    group.add_argument(
        "--pseudonyms",
        action=argparse.BooleanOptionalAction,
        help="they get pseudonyms instead of our users' ids and names",
    )
    group.add_argument(
        "--project-pseudonyms",
        action=argparse.BooleanOptionalAction,
        help="they get pseudonyms instead of our projects' ids and names",
    )
