"""Options that several commands of `openstackoid oaktree call` have."""

import argparse
import os
from pathlib import Path


def oaktree(parser: argparse.ArgumentParser) -> None:
    """Which oaktree to call, and as whom."""
    group = parser.add_argument_group("the oaktree")
    group.add_argument(
        "--target",
        metavar="ADDRESS",
        help="unix:/PATH or HOST:PORT (default: $OAKTREE_TARGET, or where 'oaktree serve' listens for you)",
    )
    group.add_argument(
        "--ca", type=Path, default=file("OAKTREE_CA"), metavar="FILE", help="who signs its certificate ($OAKTREE_CA)"
    )
    group.add_argument(
        "--cert",
        type=Path,
        default=file("OAKTREE_CERT"),
        metavar="FILE",
        help="your own certificate ($OAKTREE_CERT)",
    )
    group.add_argument("--key", type=Path, default=file("OAKTREE_KEY"), metavar="FILE", help="its key ($OAKTREE_KEY)")
    group.add_argument("--plaintext", action="store_true", help="TCP without TLS; for loopback addresses")
    group.add_argument(
        "--as",
        dest="as_",
        action="append",
        metavar="CLOUD[=ENTRY]",
        help="in this cloud as yourself: with a token that the user of ENTRY of your clouds.yaml is issued now "
        "(default: the entry of the cloud's name); can be repeated",
    )
    group.add_argument("--timeout", type=seconds, metavar="SECONDS", help="for the whole call (default: none)")


def kind(parser: argparse.ArgumentParser) -> None:
    """Which kind."""
    parser.add_argument("kind", metavar="KIND", help='"compute.server", or "server"')


def one(parser: argparse.ArgumentParser) -> None:
    """Which resource."""
    kind(parser)
    parser.add_argument("id", metavar="ID", help="or a name that is unique")
    location(parser)
    parent(parser)


def location(parser: argparse.ArgumentParser) -> None:
    """Where it is."""
    parser.add_argument("--location", metavar="CLOUD[/REGION]", help="where it is, if several clouds have one")


def locations(parser: argparse.ArgumentParser, text: str) -> None:
    """Where to act; `text` says what that means."""
    parser.add_argument(
        "--location",
        action="append",
        metavar="CLOUD[/REGION]",
        help=f"{text} (default: everywhere); or cloud=C,region=R,zone=Z,project=P,...; can be repeated",
    )


def parent(parser: argparse.ArgumentParser) -> None:
    """What a kind's path needs."""
    parser.add_argument(
        "--parent", action="append", metavar="NAME=ID", help="what a kind's path needs: server_id=... of an interface"
    )


def columns(parser: argparse.ArgumentParser) -> None:
    """What to show."""
    parser.add_argument(
        "-c",
        "--column",
        action="append",
        metavar="[NAME=]EXPRESSION",
        help="a column: an attribute, or any JMESPath; can be repeated",
    )


def attributes(parser: argparse.ArgumentParser) -> None:
    """What to set."""
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="an attribute; or NAME:=JSON")
    parser.add_argument("--from", dest="from_", metavar="FILE", help="attributes as a JSON object; - is standard input")


def creating(parser: argparse.ArgumentParser) -> None:
    """How to create."""
    parser.add_argument("--wait", action="store_true", help="go on until each is ready, or has failed")
    parser.add_argument("--undo", action="store_true", help="delete all of it again if any cloud fails")
    parser.add_argument("--detach", action="store_true", help="go on when this command is stopped: see operation wait")
    key(parser)


def key(parser: argparse.ArgumentParser) -> None:
    """What makes a create the same."""
    parser.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help="say it again to ask again: nothing is created twice (default: a new one)",
    )


def file(variable: str) -> Path | None:
    """The file that a variable names."""
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def seconds(text: str) -> float:
    """A duration. Raises ValueError for anything else."""
    seconds = float(text)
    if not 0 <= seconds < 10**9:
        raise ValueError
    return seconds


def count(text: str) -> int:
    """A number of things. Raises ValueError for anything else."""
    number = int(text)
    if not 0 <= number < 2**31:
        raise ValueError
    return number
