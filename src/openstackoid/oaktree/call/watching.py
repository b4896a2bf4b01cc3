"""`call watch`: shows changes as they happen, until a condition holds."""

import argparse
import sys
from datetime import UTC, datetime
from typing import Final

import grpc

from oaktree.client import Oaktree
from oaktree.client import watch as again
from oaktree.v1 import resource_pb2
from oaktree.v1.common_pb2 import CHANGE_DELETED, CHANGE_REACHED, Change
from openstackoid.oaktree.call import arguments, columns, errors, output
from openstackoid.oaktree.call.columns import Column, cell
from openstackoid.oaktree.call.run import note, say
from openstackoid.output import json_line, printable

# Fixed widths that align most values: later rows are not known yet.
_WIDTHS: Final = (8, 8, 36, 20, 12)
_USUAL: Final = "id", "name", "status || provisioning_status", "location"


def watch(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Show the changes of one resource, or of all resources of a kind."""
    until = arguments.condition(args)
    request = resource_pb2.WatchResourceRequest(
        kind=arguments.kind(args.kind),
        id=args.id or "",
        location=arguments.locations([args.location], oaktree)[0] if args.location else None,
        parents={name: str(value) for name, value in arguments.values(args.parent or (), "--parent").items()},
        until=until,
    )
    chosen = [columns.column(column_name) for column_name in args.column or ()]
    last = None
    for answer in again(oaktree.resources.WatchResource, request, timeout=args.timeout, lost=_lost):
        last = answer.change
        print(_line(answer, chosen, args.format))
        sys.stdout.flush()
    if until is not None and last != CHANGE_REACHED:
        say("the watch ended before the condition held")
        return errors.FAILED
    if until is None and last not in (CHANGE_DELETED, CHANGE_REACHED):
        say("the oaktree ended the watch")
        return errors.FAILED
    return errors.OK


def _lost(_error: grpc.RpcError) -> None:
    note("the oaktree has ended the watch, or is away: asking again ...")


def _line(answer: resource_pb2.WatchResourceResponse, chosen: list[Column], form: str) -> str:
    change = Change.Name(answer.change).removeprefix("CHANGE_").lower()
    resource = output.resource(answer.resource) if answer.HasField("resource") else {}
    if form == "jsonl":
        seen_at = answer.seen_at.ToJsonString()
        return json_line({"change": change, "seen_at": seen_at, "resource": output.chosen_of(resource, chosen) or None})
    wanted = chosen or [columns.column(name) for name in _USUAL]
    when = datetime.fromtimestamp(answer.seen_at.seconds, UTC).astimezone().strftime("%H:%M:%S")
    return _aligned([when, change, *(cell(column.of(resource)) for column in wanted)] if resource else [when, change])


def _aligned(cells: list[object]) -> str:
    shown_ = [printable(part) for part in cells]
    widths = [*_WIDTHS, *(0 for _ in shown_)]
    return "  ".join(word.ljust(width) for word, width in zip(shown_, widths, strict=False)).rstrip()
