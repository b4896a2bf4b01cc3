"""Converts arguments of the command line to messages: kinds by their short names, locations, attributes."""

import argparse
import functools
import json
import re
import sys
import uuid
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct

from oaktree.client import Oaktree
from oaktree.v1.cloud_pb2 import ListCloudsRequest
from oaktree.v1.common_pb2 import Condition, CreateOptions
from oaktree.v1.location_pb2 import Location

_GIVEN: Final = re.compile(r"([A-Za-z_][\w.:-]*?)(:?=)(.*)", re.DOTALL)
_FIELDS: Final = tuple(Location.DESCRIPTOR.fields_by_name)
_SHOWN: Final = 8  # maximum number of kinds in a message
# As in CSV: a quote in quotes is written twice.
_TEXT: Final = r'"(?:[^"]|"")+"|[^,"]+'
_QUOTED: Final = re.compile(r'"(?:[^"]|"")+"')
_PAIR: Final = re.compile(rf"\s*(\w+)=({_TEXT})(?:,|$)")
_PAIRS: Final = re.compile(rf"(?:\s*\w+=(?:{_TEXT})(?:,|$))+(?<!,)")


class WrongError(Exception):
    """An argument of the command line is invalid; `str()` is the message with the expected form."""


def kind(text: str) -> str:
    """The full name of a kind, from "compute.server", "server", or "servers".

    If several kinds have a short name, it means the one with a message of its own, if there is only one such kind.

    Raises:
        WrongError: no kind or several kinds have the name.
    """
    name = text.replace("-", "_").lower()
    known = _kinds()
    if "." in name:
        # Also a kind that only a newer server knows.
        candidates = [candidate for candidate in known if name in (candidate, _plural(candidate))]
        return candidates[0] if candidates else name
    candidates = [candidate for candidate in known if name in (_noun(candidate), _plural(_noun(candidate)))]
    typed = [candidate for candidate in candidates if known[candidate]]
    if len(typed) == 1 or len(candidates) == 1:
        return (typed if len(typed) == 1 else candidates)[0]
    if candidates:
        raise WrongError(f"{text} could be any of {', '.join(candidates)}: say which")
    near = [candidate for candidate in known if name.rstrip("s") in candidate][:_SHOWN]
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    raise WrongError(f"there is no kind {text!r}.{hint} 'openstackoid oaktree call kinds' lists them all")


@functools.cache
def _kinds() -> Mapping[str, bool]:
    """All kinds, each with whether it has a message of its own; kinds of old API versions have different names for the same resource."""
    document = json.loads(resources.files("openstackoid.oaktree").joinpath("kinds.json").read_text())
    return {entry["kind"]: bool(entry.get("message")) for entry in document["kinds"]}


def services() -> frozenset[str]:
    """The services that have kinds."""
    return frozenset(name.partition(".")[0] for name in _kinds())


def _noun(name: str) -> str:
    service, _, noun = name.partition(".")
    return noun if "." not in noun else f"{service}.{noun}"


def _plural(name: str) -> str:
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(s|x|ch|sh)$", name) else f"{name}s"


def values(given: Iterable[str], option: str) -> dict[str, Any]:
    """Parse attributes: NAME=TEXT, or NAME:=JSON.

    Raises:
        WrongError: an attribute has another form.
    """
    parsed: dict[str, Any] = {}
    for item in given:
        match = _GIVEN.fullmatch(item)
        if not match:
            raise WrongError(f"{option}: expected NAME=TEXT or NAME:=JSON, got {item!r}")
        name, sign, text = match.groups()
        try:
            parsed[name] = json.loads(text) if sign == ":=" else text
        except ValueError as error:
            raise WrongError(f"{option} {name}: expected JSON after :=, got {text!r}") from error
    return parsed


def attributes(args: argparse.Namespace) -> Struct:
    """The attributes of --from and --set; later ones override earlier ones.

    Raises:
        WrongError: see `values`; or the file is no JSON object.
    """
    document: dict[str, Any] = {}
    if args.from_ is not None:
        document = _document(args.from_)
        document.pop("location", None)
    return struct({**document, **values(args.set or (), "--set")}, "--set")


def struct(document: Mapping[str, Any], option: str) -> Struct:
    """Convert attributes to a message; raises WrongError for values that JSON allows and a message does not."""
    made = Struct()
    try:
        made.update(document)
    except (ValueError, TypeError, OverflowError) as error:
        raise WrongError(f"{option}: {error}") from error
    return made


def _document(path: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
        document = json.loads(text)
    except OSError as error:
        raise WrongError(f"--from {path}: {error.strerror}") from error
    except ValueError as error:
        raise WrongError(f"--from {path}: expected JSON: {error}") from error
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        raise WrongError(f"--from {path}: expected one JSON object: the attributes")
    return document


def locations(given: Iterable[str], oaktree: Oaktree) -> list[Location]:
    """Parse locations: CLOUD, CLOUD/REGION, or cloud=C,region=R,zone=Z and so on; values with commas or equals signs are in double quotes.

    Names of clouds behind other oaktrees contain slashes: for these the server is queried for its clouds.

    Raises:
        WrongError: a location has another form, or is ambiguous.
        grpc.RpcError: the server did not answer.
    """
    return [_location(item, oaktree) for item in given]


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if _QUOTED.fullmatch(text) else text


def _location(text: str, oaktree: Oaktree) -> Location:
    if _QUOTED.fullmatch(text):
        return Location(cloud=_unquoted(text))
    if "=" in text:
        pairs = _PAIR.findall(text)
        if not _PAIRS.fullmatch(text) or any(name not in _FIELDS for name, _ in pairs):
            raise WrongError(
                f"--location: expected CLOUD, CLOUD/REGION, or NAME=VALUE,... of {', '.join(_FIELDS)}; in double quotes "
                'what holds commas or equals signs, as cloud="a,b=c"'
            )
        return Location(**{name: _unquoted(value) for name, value in pairs})
    if "/" not in text:
        return Location(cloud=text)
    places = [known_cloud.location for known_cloud in oaktree.clouds.ListClouds(ListCloudsRequest()).clouds]
    region = any(f"{place.cloud}/{place.region}" == text for place in places)
    cloud = any(f"{place.cloud}/".startswith(f"{text}/") for place in places)
    first, _, last = text.rpartition("/")
    if region and cloud:
        raise WrongError(f"--location {text} is a cloud and a region: say cloud={text}, or cloud={first},region={last}")
    return Location(cloud=text) if cloud else Location(cloud=first, region=last)


def create_options(args: argparse.Namespace) -> CreateOptions:
    """The options of a create; always with an idempotency key, so that the create can be repeated."""
    made = CreateOptions(
        idempotency_key=args.idempotency_key or str(uuid.uuid4()),
        undo_on_failure=args.undo,
        wait=args.wait,
        detach=args.detach,
    )
    if args.timeout:
        made.timeout.FromMilliseconds(int(args.timeout * 1000))
    return made


def condition(args: argparse.Namespace) -> Condition | None:
    """Parse the condition of a watch; raises WrongError if it is invalid."""
    if args.until_query is not None:
        return Condition(query=args.until_query)
    if args.until is None:
        return None
    name, sign, value = args.until.partition("=")
    if args.until == "gone":
        return Condition(gone=True)
    if name != "status" or not sign or not value:
        raise WrongError(f"--until: expected status=STATUS, or gone, got {args.until!r}; or use --until-query")
    return Condition(status=value)
