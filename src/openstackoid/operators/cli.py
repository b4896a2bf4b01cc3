"""`openstackoid peer`, `key`, `audit`, `database` and `haproxy`: the words; what they do is in this package's other modules."""

import argparse
import importlib
import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_PEER: Final = """\
Agreements with other clouds. Each side says what it allows; nothing passes before both said yes.

  openstackoid peer add https://cloudtwo.example:8443 --service image
        looks at CloudTwo, shows the fingerprint of its key, and asks whether that is what CloudTwo's operator told you
  openstackoid peer allow CloudTwo
        says yes; from now on CloudTwo's users may use our images, under the roles that count here
  openstackoid peer show CloudTwo
        both sides, as our gateway sees them
  openstackoid peer suspend CloudTwo
        takes the yes back, within a second
"""
_GRANT: Final = """\
What they may do here. Options that are not given leave what was said before; "none" empties a list.

  --service image                                    everything of the image service
  --rule "GET image /v2/images/**"                   or exactly this: * is one segment of a path, ** is anything
  --role member --role auditor=reader                their members are members here, their auditors readers; the rest nothing
  --projects each:default                            a project for each of theirs, in this domain; same: the one with the same id
  --home "GET image /v2/images/**"                   what their services may ask of ours for our own users
"""
_KEY: Final = """\
This cloud's keys: with them it signs the tokens of its users in other clouds.

  openstackoid key new                     makes the first ones, in the file of trust.keys
  openstackoid key show                    the fingerprint to read out to other clouds' operators
  openstackoid key rotate                  a new key: published at once, used in ten minutes; peers follow by themselves
  openstackoid key rotate --compromised    drops all keys at once; every peer's operator must be told the new fingerprint
"""
_AUDIT: Final = """\
Who of which cloud did what here, under which agreement; and what our users did elsewhere.

  openstackoid audit --direction in --since 2h            what others did here in the last two hours
  openstackoid audit --peer CloudTwo --errors             what went wrong with CloudTwo
  openstackoid audit --user 0b1c... --direction out       what one of our users did in other clouds
  openstackoid audit -f json audit.jsonl.1 audit.jsonl    files that were rotated, too
"""
_DATABASE: Final = """\
The database of agreements and mapped projects (trust.database). All of it works while gateways run.

  openstackoid database backup FILE        a whole copy of SQLite's file, of one moment; FILE must not be there
  openstackoid database restore FILE       puts a copy into its place; gateways take it within a second
  openstackoid database upgrade            makes the tables that this version needs, as each gateway does when it starts

A suspension that is younger than the copy is not in it: look at "openstackoid peer list" after a restore.
PostgreSQL and MariaDB have programs of their own for copies.
"""
_HAPROXY: Final = """\
HAProxy as the fast path before the gateway: what no scope touches never reaches Python.

  openstackoid haproxy check               has HAProxy look at what would be written
  openstackoid haproxy render              writes it: haproxy.cfg, maps, errors
  haproxy -W -S /etc/openstackoid/haproxy/master.sock -f /etc/openstackoid/haproxy/haproxy.cfg
  openstackoid haproxy apply               after a change of the configuration: a reload that no connection notices
"""


class _Parser(argparse.ArgumentParser):
    """One of 64 fingerprints begins with a dash, which argparse would take for an option."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        joined: list[str] = []
        for word in args or ():
            if joined and joined[-1] == "--fingerprint":
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        return super().parse_known_args(joined, namespace)


def register(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands to the program's parser."""
    _peer(_parser(commands, "peer", "agreements with other clouds", _PEER))
    _key(_parser(commands, "key", "this cloud's keys", _KEY))
    _audit(_parser(commands, "audit", "who of which cloud did what, under which agreement", _AUDIT))
    _database(_parser(commands, "database", "back up, restore and upgrade the database of agreements", _DATABASE))
    _haproxy(_parser(commands, "haproxy", "HAProxy as the fast path before the gateway", _HAPROXY))


def _parser(commands: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return parser


def _action(actions: Any, name: str, run: str, text: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """A command, done by `module:function` of this package: imported when it is asked for, not for the help."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _common(parser, run)
    return parser


def _common(parser: argparse.ArgumentParser, run: str) -> None:
    default = Path(os.environ.get("OPENSTACKOID_CONFIG") or "/etc/openstackoid/gateway.yaml")
    parser.add_argument(
        "--config",
        type=Path,
        default=default,
        metavar="FILE",
        help="the gateway's configuration (default: $OPENSTACKOID_CONFIG, or /etc/openstackoid/gateway.yaml)",
    )
    parser.set_defaults(run=_later(run), parser=parser)


def _later(run: str) -> Callable[[argparse.Namespace], int]:
    def call(arguments: argparse.Namespace) -> int:
        module, _, function = run.partition(":")
        return int(getattr(importlib.import_module(f"openstackoid.operators.{module}"), function)(arguments))

    return call


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--format", choices=("table", "json"), default="table", help="(default: %(default)s)")


def _peer(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)

    add = _action(actions, "add", "peers:add", "note a cloud, and what it may do here once you allow it", _GRANT)
    add.add_argument("url", metavar="URL", help="where its gateway meets peers, as its operator told you")
    add.add_argument("--fingerprint", metavar="FP", help="of its key, as its operator told you; it must be there")
    add.add_argument("--allow", action="store_true", help="say yes at once")
    add.add_argument("--yes", action="store_true", help="do not ask; needs --fingerprint")
    _grant(add)

    _format(_action(actions, "list", "peers:list_", "list all peers, those of the configuration file too"))

    show = _action(actions, "show", "peers:show", "show both sides of an agreement")
    show.add_argument("name", metavar="NAME", help="the other cloud")
    _format(show)

    allow = _action(actions, "allow", "peers:allow", "say yes, or change what is allowed", _GRANT)
    allow.add_argument("name", metavar="NAME", help="the other cloud")
    _grant(allow)

    for name, text in (
        ("suspend", "take the yes back; what was agreed is kept"),
        ("remove", "end the agreement, and forget the peer's keys and which projects stood for its own"),
    ):
        parser_ = _action(actions, name, f"peers:{name}", text)
        parser_.add_argument("name", metavar="NAME", help="the other cloud")

    trust = _action(actions, "trust", "peers:trust", "trust a peer's new key, after its old one was compromised")
    trust.add_argument("name", metavar="NAME", help="the other cloud")
    trust.add_argument(
        "--fingerprint", required=True, metavar="FP", help="of the new key, as the peer's operator told you"
    )

    history = _action(actions, "history", "peers:history", "who changed which agreement when")
    history.add_argument("name", nargs="?", metavar="NAME", help="of this cloud only; also one that was removed")
    _format(history)


def _grant(parser: argparse.ArgumentParser) -> None:
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


def _key(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    file = "the keys' file (default: trust.keys of the configuration)"

    new = _action(actions, "new", "keys:new", "make this cloud's first keys")
    new.add_argument("--file", type=Path, metavar="FILE", help=file)

    _format(_action(actions, "show", "keys:show", "show the fingerprint and all keys, without what is secret of them"))

    rotate = _action(actions, "rotate", "keys:rotate", "make a new key, and let the old one run out")
    rotate.add_argument("--file", type=Path, metavar="FILE", help=file)
    rotate.add_argument(
        "--compromised", action="store_true", help="drop the old keys at once: what they signed counts no more"
    )


def _haproxy(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, text in (
        ("render", "write HAProxy's configuration, maps and errors"),
        ("check", "have HAProxy look at what would be written, and write nothing"),
        ("apply", "write it, and have a running HAProxy take it without losing a connection"),
    ):
        action = _action(actions, name, f"fastpath:{name}", text)
        action.add_argument("--out", type=Path, metavar="DIR", help="where to (default: haproxy.directory)")


def _database(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    backup = _action(actions, "backup", "database:backup", "copy the database to a file")
    backup.add_argument("file", type=Path, metavar="FILE", help="where to")
    backup.add_argument("--force", action="store_true", help="also over a file that is there")

    restore = _action(actions, "restore", "database:restore", "put a copy into the place of the database")
    restore.add_argument("file", type=Path, metavar="FILE", help="the copy, as backup made it")
    restore.add_argument("--force", action="store_true", help="also over a database that is there")

    _action(actions, "upgrade", "database:upgrade", "make the tables that this version needs")


def _audit(parser: argparse.ArgumentParser) -> None:
    _common(parser, "trail:run")
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
        "--direction", choices=("in", "out"), help="in: by others, here; out: by our users, elsewhere (default: both)"
    )
    parser.add_argument(
        "--since", metavar="WHEN", help="30s, 15m, 2h, 7d, or a time such as 2030-01-31T12:00 (UTC, if it says no zone)"
    )
    parser.add_argument("--errors", action="store_true", help="only what was refused or failed")
    parser.add_argument("-n", "--lines", type=int, default=0, metavar="N", help="the last N only (default: all)")
    _format(parser)
    parser.epilog = textwrap.dedent("""\
        A request stands once in the audit of each cloud that it met; --format json has the global_request_id that joins them.
        """)
