"""`call group`: create resources of several kinds that refer to each other, from a file, in many clouds at once.

The file has a member for each key, in YAML or JSON:

    net: {kind: network, attributes: {name: mine}}
    web: {kind: server, count: 4, attributes: {name: "web-${index}", image: cirros, flavor: small, network: "${net.id}"}}
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import grpc

from oaktree.client import Oaktree
from oaktree.v1 import group_pb2
from oaktree.v1.common_pb2 import STAGE_CREATED, STAGE_DONE, Progress, Summary
from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree.call import arguments, errors, output
from openstackoid.oaktree.call.creating import stage
from openstackoid.oaktree.call.progress import Progress as Line
from openstackoid.oaktree.call.run import conclude, note, say

_HEAD: Final = "location", "member", "stage", "id", "name", "operation"
_FIELDS: Final = frozenset({"kind", "count", "attributes"})
_GRACE: Final = 30.0  # seconds after the timeout for the server to send its own error
_LARGEST: Final = 2**31 - 1


class _Copies:
    """The last known state of each copy of each member, in each cloud-region."""

    def __init__(self) -> None:
        self.summary: Summary | None = None
        self._steps: Final[dict[tuple[str, str, int], Progress]] = {}
        self._names: Final[dict[tuple[str, str, int], str]] = {}

    def take(self, answer: group_pb2.BuildGroupResponse) -> None:
        if answer.HasField("progress") and answer.progress.HasField("location"):
            self._steps[errors.place(answer.progress.location), answer.member, answer.index] = answer.progress
        if answer.HasField("resource"):
            resource = output.resource(answer.resource)
            self._names[errors.place_of(resource), answer.member, answer.index] = str(resource.get("name") or "")
        if answer.HasField("summary"):
            self.summary = answer.summary

    def line(self) -> str:
        ready = sum(step.stage in (STAGE_CREATED, STAGE_DONE) for step in self._steps.values())
        return f"{ready} of {len(self._steps)} created ..."

    def rows(self) -> Iterator[tuple[object, ...]]:
        for (place, member, index), step in self._sorted():
            name = self._names.get((place, member, index))
            yield place, f"{member} {index}", stage(step), step.resource_id, name, step.operation_id

    def documents(self) -> list[dict[str, Any]]:
        return [
            {
                "location": output.document(step.location),
                "member": member,
                "index": index,
                "stage": stage(step),
                "id": step.resource_id or None,
                "operation_id": step.operation_id or None,
                "error": errors.of_status(step.error).document() if step.HasField("error") else None,
            }
            for (_, member, index), step in self._sorted()
        ]

    def _sorted(self) -> list[tuple[tuple[str, str, int], Progress]]:
        """By cloud-region; in each the members in the order of their creation."""
        return sorted(self._steps.items(), key=lambda item: item[0][0])


def build(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Create the group in each of the locations; the same command with the same key continues what was broken off."""
    members = _members(args.file)
    args.wait, args.detach = True, False
    options = arguments.create_options(args)
    request = group_pb2.BuildGroupRequest(
        locations=arguments.locations(args.location or (), oaktree), members=members, options=options
    )
    copies, progress = _Copies(), Line()
    deadline = args.timeout + _GRACE if args.timeout else None
    try:
        with progress:
            for answer in oaktree.groups.BuildGroup(request, timeout=deadline):
                copies.take(answer)
                progress.show(copies.line())
    except (KeyboardInterrupt, grpc.RpcError):
        say(f"the same again with --idempotency-key {options.idempotency_key} creates nothing twice, and the rest")
        raise
    if args.format == "table":
        output.grid(_HEAD, list(copies.rows()))
    else:
        output.documents(copies.documents(), args.format)
    code = conclude(copies.summary, "nothing was created: the server has no cloud for you")
    if code != errors.OK and not args.undo:
        note(f"the same again with --idempotency-key {options.idempotency_key} creates the rest")
    return code


def _members(path: str) -> list[group_pb2.Member]:
    import yaml  # noqa: PLC0415 - for this alone

    try:
        document = yaml.safe_load(sys.stdin.read() if path == "-" else Path(path).read_text())
    except OSError as error:
        raise arguments.WrongError(f"{path}: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise arguments.WrongError(f"{path}: expected YAML or JSON: {error}") from error
    if not isinstance(document, dict) or not document:
        raise arguments.WrongError(
            f"{path}: expected a mapping from the name of each member to its kind and attributes"
        )
    return [_member(str(name), member, f"{path}: {name}") for name, member in document.items()]


def _member(name: str, member: object, where: str) -> group_pb2.Member:
    if not isinstance(member, Mapping) or not isinstance(member.get("kind"), str):
        raise arguments.WrongError(f"{where}: expected a mapping with kind: KIND")
    if unknown := [str(field) for field in member if field not in _FIELDS]:
        raise arguments.WrongError(f"{where}: expected {', '.join(sorted(_FIELDS))}; got {unknown[0]}")
    count, attributes = member.get("count", 1), member.get("attributes") or {}
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= _LARGEST:
        raise arguments.WrongError(f"{where}: count: expected a whole number from 1, got {count!r}")
    if not isinstance(attributes, Mapping):
        raise arguments.WrongError(f"{where}: attributes: expected a mapping")
    resource = Resource(kind=arguments.kind(member["kind"]), attributes=arguments.struct(attributes, where))
    return group_pb2.Member(name=name, resource=resource, count=count)
