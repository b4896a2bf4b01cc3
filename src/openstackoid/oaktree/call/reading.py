"""`call list`, `get`, `delete`, `update`."""

import argparse
import sys
from typing import Any

from oaktree.client import Oaktree
from oaktree.v1 import resource_pb2
from oaktree.v1.common_pb2 import ListOptions
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.call import asked, columns, shown, told
from openstackoid.oaktree.call.progress import Progress
from openstackoid.oaktree.call.run import conclude, note, places


def list_(arguments: argparse.Namespace, oaktree: Oaktree) -> int:
    """Resources of one kind, wherever they are."""
    kind = asked.kind(arguments.kind)
    chosen = [columns.column(each) for each in arguments.column or ()]
    request = resource_pb2.ListResourcesRequest(
        kind=kind,
        locations=asked.locations(arguments.location or (), oaktree),
        parents=_parents(arguments),
        options=ListOptions(
            filters=asked.struct(asked.values(arguments.filter or (), "--filter"), "--filter"),
            query=arguments.query or "",
            order_by=arguments.sort or "",
            page_size=arguments.page_size,
            page_token=arguments.page_token or "",
            refresh=arguments.refresh,
        ),
    )
    if arguments.max_age is not None:
        request.options.max_age.FromMilliseconds(int(arguments.max_age * 1000))
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    summary = None
    streams = arguments.format in ("jsonl", "value")
    with Progress(quiet=streams and sys.stdout.isatty()) as progress:
        progress.show(f"asking for {kind} ...")
        for answer in oaktree.resources.ListResources(request, timeout=arguments.timeout):
            if answer.HasField("summary"):
                summary = answer.summary
            for each in answer.resources:
                seen.add(told.place(each.location))
                if streams:
                    shown.many(kind, [shown.resource(each)], chosen, arguments.format)
                else:
                    found.append(shown.resource(each))
            if streams:
                sys.stdout.flush()
            progress.show(f"{len(found) or 'some'} of {kind} so far, from {places(seen)} ...")
    if not streams:
        if not arguments.sort:
            # Clouds answer in any order: the same question reads the same each time.
            found.sort(key=told.place_of)
        shown.many(kind, found, chosen, arguments.format)
    code = conclude(summary, "no cloud was asked: the server has none for you")
    if summary and summary.next_page_token:
        sys.stdout.flush()
        note(f"There is more: the same with --page-token {summary.next_page_token}")
    return code


def get(arguments: argparse.Namespace, oaktree: Oaktree) -> int:
    """One resource, wherever it is."""
    chosen = [columns.column(each) for each in arguments.column or ()]
    kind = asked.kind(arguments.kind)
    request = resource_pb2.GetResourceRequest(
        kind=kind,
        id=arguments.id,
        location=_location(arguments, oaktree),
        parents=_parents(arguments),
    )
    answer = oaktree.resources.GetResource(request, timeout=arguments.timeout)
    shown.one(kind, shown.resource(answer.resource), chosen, arguments.format)
    return told.OK


def update(arguments: argparse.Namespace, oaktree: Oaktree) -> int:
    """One resource, changed."""
    chosen = [columns.column(each) for each in arguments.column or ()]
    kind = asked.kind(arguments.kind)
    changes = asked.attributes(arguments)
    if not changes.fields:
        raise asked.WrongError("expected what to change: --set NAME=VALUE, or --from FILE")
    request = resource_pb2.UpdateResourceRequest(
        id=arguments.id,
        location=_location(arguments, oaktree),
        resource=resource_pb2.Resource(kind=kind, attributes=changes),
        parents=_parents(arguments),
    )
    answer = oaktree.resources.UpdateResource(request, timeout=arguments.timeout)
    shown.one(kind, shown.resource(answer.resource), chosen, arguments.format)
    return told.OK


def delete(arguments: argparse.Namespace, oaktree: Oaktree) -> int:
    """One resource, deleted, or on its way."""
    kind = asked.kind(arguments.kind)
    request = resource_pb2.DeleteResourceRequest(
        kind=kind,
        id=arguments.id,
        location=_location(arguments, oaktree),
        parents=_parents(arguments),
        allow_missing=arguments.allow_missing,
    )
    answer = oaktree.resources.DeleteResource(request, timeout=arguments.timeout)
    if answer.id:
        note(f"{kind} {answer.id} is deleted in {told.place(answer.location)}, or will be in a moment")
    else:
        note(f"there is no {kind} {arguments.id}")
    return told.OK


def _parents(arguments: argparse.Namespace) -> dict[str, str]:
    return {name: str(value) for name, value in asked.values(arguments.parent or (), "--parent").items()}


def _location(arguments: argparse.Namespace, oaktree: Oaktree) -> Location | None:
    return asked.locations([arguments.location], oaktree)[0] if arguments.location else None
