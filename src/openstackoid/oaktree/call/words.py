"""The command line of `openstackoid oaktree call`. The commands are in the other modules, which are imported when they run."""

import argparse
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_CALL: Final = """\
Ask an oaktree. Nothing said about where means everywhere.

  openstackoid oaktree call clouds
  openstackoid oaktree call list servers
  openstackoid oaktree call list servers --location CloudTwo --filter status=ACTIVE --sort name
  openstackoid oaktree call list flavors --query 'ram >= `1024`' -f json
  openstackoid oaktree call get image cirros-cloudtwo
  openstackoid oaktree call create network --set name=web --location CloudOne --location CloudTwo --undo
  openstackoid oaktree call watch server vm --until status=ACTIVE
  openstackoid oaktree call delete server vm
  openstackoid oaktree call kinds server

A KIND is "compute.server", or "server", or "servers"; 'call kinds' lists all of them.

exit codes: 0 every cloud answered; 1 it failed; 2 it was asked wrongly; 3 some clouds answered, some did not
"""
_LIST: Final = """\
List every resource of a kind, of all clouds or some.

  openstackoid oaktree call list servers
  openstackoid oaktree call list servers --filter status=ERROR -c id -c 'why=fault.message' -c location
  openstackoid oaktree call list images --filter visibility=public --query 'size > `1000000`' --sort 'size desc, name'
  openstackoid oaktree call list servers -f jsonl                prints each as it comes, and so does value;
  openstackoid oaktree call list servers -c id -f value          all other formats wait for the last cloud

--filter compares an attribute, in the cloud where its API can. --query is JMESPath over each resource; 'call kinds KIND' names the attributes.
Clouds that did not answer are told on standard error, and by the exit code 3.
"""
_CREATE: Final = """\
Create a resource in each location; in every cloud, if none is given.

  openstackoid oaktree call create network --set name=web --location CloudOne --location CloudTwo --undo
  openstackoid oaktree call create server --location CloudOne --from server.json --wait
  openstackoid oaktree call create server --set name=vm --set image=cirros --set flavor=m1.tiny --set network=private --set auto_ip:=true --wait
  openstackoid oaktree call get network web -c name -c mtu -f json | openstackoid oaktree call create network --from - --location CloudTwo

NAME=VALUE is text, NAME:=JSON anything else. Secrets belong in --from, not on the command line, where every user of the machine can read them.
The same request with the same --idempotency-key creates nothing twice.
"""
_UPDATE: Final = """\
Change a resource.

  openstackoid oaktree call update server vm --set name=web
  openstackoid oaktree call update network web --location CloudTwo --set is_admin_state_up:=false
"""
_WATCH: Final = """\
Show what a resource is and what becomes of it, or all of a kind, without asking again and again.

  openstackoid oaktree call watch server vm --until status=ACTIVE && echo ready
  openstackoid oaktree call watch server vm --until gone
  openstackoid oaktree call watch volume data --until-query 'length(attachments) > `0`'
  openstackoid oaktree call watch servers -f jsonl
"""
_UPLOAD: Final = """\
Upload an image into each location; in every cloud, if none is given. It is sent to the oaktree once; a cloud that wants another format gets that.

  openstackoid oaktree call upload cirros.img --name cirros --disk-format qcow2 --location CloudOne --location CloudTwo
"""
_GROUP: Final = """\
Create resources of several kinds that refer to each other, in each location; in every cloud, if none is given. FILE is YAML or JSON:

  net: {kind: network, attributes: {name: mine}}
  web: {kind: server, count: 4, attributes: {name: "web-${index}", image: cirros, flavor: small, network: "${net.id}"}}

  openstackoid oaktree call group build group.yaml --undo
  openstackoid oaktree call group build - --location CloudOne < group.yaml

The same group with the same --idempotency-key creates nothing twice.
"""
_REST: Final = """\
Where a cloud's own API is, with a token for it: for what this API lacks.

  openstackoid oaktree call rest CloudOne compute
  openstackoid oaktree call rest CloudOne compute os-hypervisors -f curl | curl -sK -

In a table the token is not shown. -f curl is what 'curl -K' reads: so the token is in no list of processes.
"""


_FORMATS: Final = ("table", "json", "jsonl", "yaml")
# For resources, also `value`: the columns of -c, separated by spaces.
_VALUES: Final = (*_FORMATS, "value")


def register(actions: Any) -> None:
    """Add `call` to the parser of `oaktree`."""
    parser = _parser(actions, "call", "ask an oaktree", _CALL)
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _reading(verbs)
    _changing(verbs)
    _watching(verbs)
    _beside(verbs)


def _parser(actions: Any, name: str, text: str, about: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text,
        description=about or f"{text[0].upper()}{text[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _verb(
    actions: Any, name: str, run: str, text: str, about: str = "", formats: tuple[str, ...] = _FORMATS
) -> argparse.ArgumentParser:
    """Add a command that calls `module:function` of this package; the module is imported only when the command runs."""
    parser = _parser(actions, name, text, about)
    parser.set_defaults(run=_later(run), parser=parser)
    if formats:
        parser.add_argument("-f", "--format", choices=formats, default=formats[0], help="(default: %(default)s)")
    group = parser.add_argument_group("the oaktree")
    group.add_argument(
        "--target",
        metavar="ADDRESS",
        help="unix:/PATH or HOST:PORT (default: $OAKTREE_TARGET, or where 'oaktree serve' listens for you)",
    )
    group.add_argument(
        "--ca", type=Path, default=_file("OAKTREE_CA"), metavar="FILE", help="who signs its certificate ($OAKTREE_CA)"
    )
    group.add_argument(
        "--cert",
        type=Path,
        default=_file("OAKTREE_CERT"),
        metavar="FILE",
        help="your own certificate ($OAKTREE_CERT)",
    )
    group.add_argument("--key", type=Path, default=_file("OAKTREE_KEY"), metavar="FILE", help="its key ($OAKTREE_KEY)")
    group.add_argument("--plaintext", action="store_true", help="TCP without TLS; for loopback addresses")
    group.add_argument(
        "--as",
        dest="as_",
        action="append",
        metavar="CLOUD[=ENTRY]",
        help="in this cloud as yourself: with a token that the user of ENTRY of your clouds.yaml is issued now "
        "(default: the entry of the cloud's name); can be repeated",
    )
    group.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="for the whole call (default: none)")
    return parser


def _later(run: str) -> Callable[[argparse.Namespace], int]:
    def call(args: argparse.Namespace) -> int:
        module, _, function = run.partition(":")
        package = "openstackoid.oaktree.call"
        verb = getattr(importlib.import_module(f"{package}.{module}"), function)
        return int(importlib.import_module(f"{package}.run").run(verb, args))

    return call


def _reading(verbs: Any) -> None:
    parser = _verb(verbs, "list", "reading:list_", "list resources of all clouds", _LIST, formats=_VALUES)
    _kind(parser)
    _locations(parser, "where to look")
    _parent(parser)
    parser.add_argument("--filter", action="append", metavar="NAME=VALUE", help="only where it equals; can be repeated")
    parser.add_argument("--query", metavar="JMESPATH", help="only where it is true")
    parser.add_argument("--sort", metavar="FIELDS", help='over all clouds: "name", "created_at desc, name"')
    parser.add_argument(
        "--page-size", type=_count, default=0, metavar="N", help="at most N of each cloud-region (sorted: of all)"
    )
    parser.add_argument("--page-token", metavar="TOKEN", help="go on where the page before ended")
    parser.add_argument("--refresh", action="store_true", help="ask the clouds, whatever is remembered")
    parser.add_argument("--max-age", type=_seconds, metavar="SECONDS", help="the oldest answer that will do")
    _columns(parser)

    parser = _verb(verbs, "get", "reading:get", "show one resource, wherever it is", formats=_VALUES)
    _one(parser)
    _columns(parser)


def _changing(verbs: Any) -> None:
    parser = _verb(verbs, "create", "creating:create", "create in many clouds at once", _CREATE)
    _kind(parser)
    _locations(parser, "where")
    _attributes(parser)
    _creating(parser)

    parser = _verb(verbs, "update", "reading:update", "change a resource", _UPDATE)
    _one(parser)
    _attributes(parser)
    _columns(parser)

    parser = _verb(verbs, "delete", "reading:delete", "delete a resource", formats=())
    _one(parser)
    parser.add_argument("--allow-missing", action="store_true", help="one that is not there is no error")

    parser = _verb(verbs, "upload", "creating:upload", "upload an image into many clouds at once", _UPLOAD)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--name", required=True, metavar="NAME")
    parser.add_argument(
        "--disk-format", required=True, metavar="FORMAT", help="of the file: qcow2, raw, vmdk, vhd, ..."
    )
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="other attributes; or NAME:=JSON")
    _locations(parser, "where")
    _creating(parser)


def _watching(verbs: Any) -> None:
    parser = _verb(verbs, "watch", "watching:watch", "show changes as they happen", _WATCH, formats=("table", "jsonl"))
    _kind(parser)
    parser.add_argument("id", nargs="?", metavar="ID", help="or a name that is unique; all of the kind if not given")
    _location(parser)
    _parent(parser)
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--until", metavar="status=STATUS|gone", help="end when it has this status, or is gone")
    until.add_argument("--until-query", metavar="JMESPATH", help="end when it is true of the resource")
    _columns(parser)


def _beside(verbs: Any) -> None:
    parser = _verb(verbs, "clouds", "places:clouds", "list the cloud-regions, and how they are")
    _locations(parser, "only these")

    parser = _verb(verbs, "kinds", "places:kinds", "list the kinds of resources; of one, its attributes")
    parser.add_argument("kind", nargs="?", metavar="KIND|SERVICE", help="only this one, or those of this service")

    parser = _verb(
        verbs,
        "rest",
        "places:rest",
        "tell where a cloud's own API is, with a token",
        _REST,
        formats=("table", "json", "yaml", "curl"),
    )
    parser.add_argument("location", metavar="LOCATION", help="CLOUD, or CLOUD/REGION")
    parser.add_argument("service", metavar="SERVICE", help="as compute, or block-storage")
    parser.add_argument("path", nargs="?", metavar="PATH", help="of the API, to be part of the URL")

    groups = _parser(verbs, "group", "resources of several kinds that refer to each other", _GROUP)
    parser = _verb(
        groups.add_subparsers(title="commands", required=True, metavar="COMMAND"),
        "build",
        "grouping:build",
        "create a group in many clouds at once",
        _GROUP,
    )
    parser.add_argument("file", metavar="FILE", help="the members; - is standard input")
    _locations(parser, "where")
    parser.add_argument("--undo", action="store_true", help="delete all of it again if any of it fails in any cloud")
    _key(parser)

    about = "Creates are kept on record: what became of them, also when the answer was lost."
    parser = _parser(verbs, "operation", "what became of creates", about)
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parser = _verb(actions, "list", "operations:list_", "list your operations, the newest first")
    parser.add_argument("--page-size", type=_count, default=0, metavar="N", help="(default: 100)")
    parser.add_argument("--page-token", metavar="TOKEN", help="go on where the page before ended")
    for name, text in (
        ("show", "show one"),
        ("wait", "show one when it is done"),
        ("undo", "delete what it created"),
    ):
        parser = _verb(actions, name, f"operations:{name}", text)
        parser.add_argument("id", metavar="ID", help="its id" + ("" if name == "undo" else ", or the idempotency key"))


def _kind(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help='"compute.server", or "server"')


def _one(parser: argparse.ArgumentParser) -> None:
    _kind(parser)
    parser.add_argument("id", metavar="ID", help="or a name that is unique")
    _location(parser)
    _parent(parser)


def _location(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--location", metavar="CLOUD[/REGION]", help="where it is, if several clouds have one")


def _locations(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        "--location",
        action="append",
        metavar="CLOUD[/REGION]",
        help=f"{text} (default: everywhere); or cloud=C,region=R,zone=Z,project=P,...; can be repeated",
    )


def _parent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--parent", action="append", metavar="NAME=ID", help="what a kind's path needs: server_id=... of an interface"
    )


def _columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--column",
        action="append",
        metavar="[NAME=]EXPRESSION",
        help="a column: an attribute, or any JMESPath; can be repeated",
    )


def _attributes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="an attribute; or NAME:=JSON")
    parser.add_argument("--from", dest="from_", metavar="FILE", help="attributes as a JSON object; - is standard input")


def _creating(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="go on until each is ready, or has failed")
    parser.add_argument("--undo", action="store_true", help="delete all of it again if any cloud fails")
    parser.add_argument("--detach", action="store_true", help="go on when this command is stopped: see operation wait")
    _key(parser)


def _key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help="say it again to ask again: nothing is created twice (default: a new one)",
    )


def _file(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < 10**9:
        raise ValueError
    return seconds


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**31:
        raise ValueError
    return number
