"""`call list`, `get`, `delete`, `update`."""

import argparse
import sys
from typing import Any

from oaktree.client import Oaktree
from oaktree.v1 import resource_pb2
from oaktree.v1.common_pb2 import ListOptions
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.call import arguments, columns, errors, output
from openstackoid.oaktree.call.progress import Progress
from openstackoid.oaktree.call.run import conclude, note, places


def list_(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """List the resources of one kind in all clouds."""
    kind = arguments.kind(args.kind)
    chosen = [columns.column(column_name) for column_name in args.column or ()]
    request = resource_pb2.ListResourcesRequest(
        kind=kind,
        locations=arguments.locations(args.location or (), oaktree),
        parents=_parents(args),
        options=ListOptions(
            filters=arguments.struct(arguments.values(args.filter or (), "--filter"), "--filter"),
            query=args.query or "",
            order_by=args.sort or "",
            page_size=args.page_size,
            page_token=args.page_token or "",
            refresh=args.refresh,
        ),
    )
    if args.max_age is not None:
        request.options.max_age.FromMilliseconds(int(args.max_age * 1000))
    resources: list[dict[str, Any]] = []
    seen: set[str] = set()
    summary = None
    streams = args.format in ("jsonl", "value")
    with Progress(quiet=streams and sys.stdout.isatty()) as progress:
        progress.show(f"asking for {kind} ...")
        for answer in oaktree.resources.ListResources(request, timeout=args.timeout):
            if answer.HasField("summary"):
                summary = answer.summary
            for resource in answer.resources:
                seen.add(errors.place(resource.location))
                if streams:
                    output.many(kind, [output.resource(resource)], chosen, args.format)
                else:
                    resources.append(output.resource(resource))
            if streams:
                sys.stdout.flush()
            progress.show(f"{len(resources) or 'some'} of {kind} so far, from {places(seen)} ...")
    if not streams:
        if not args.sort:
            # Clouds answer in any order: sort, so that equal requests give equal output.
            resources.sort(key=errors.place_of)
        output.many(kind, resources, chosen, args.format)
    code = conclude(summary, "no cloud was asked: the server has none for you")
    if summary and summary.next_page_token:
        sys.stdout.flush()
        note(f"There is more: the same with --page-token {summary.next_page_token}")
    return code


def get(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Get one resource, wherever it is."""
    chosen = [columns.column(column_name) for column_name in args.column or ()]
    kind = arguments.kind(args.kind)
    request = resource_pb2.GetResourceRequest(
        kind=kind,
        id=args.id,
        location=_location(args, oaktree),
        parents=_parents(args),
    )
    answer = oaktree.resources.GetResource(request, timeout=args.timeout)
    output.one(kind, output.resource(answer.resource), chosen, args.format)
    return errors.OK


def update(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Update one resource."""
    chosen = [columns.column(column_name) for column_name in args.column or ()]
    kind = arguments.kind(args.kind)
    changes = arguments.attributes(args)
    if not changes.fields:
        raise arguments.WrongError("expected what to change: --set NAME=VALUE, or --from FILE")
    request = resource_pb2.UpdateResourceRequest(
        id=args.id,
        location=_location(args, oaktree),
        resource=resource_pb2.Resource(kind=kind, attributes=changes),
        parents=_parents(args),
    )
    answer = oaktree.resources.UpdateResource(request, timeout=args.timeout)
    output.one(kind, output.resource(answer.resource), chosen, args.format)
    return errors.OK


def delete(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Delete one resource; the deletion may still be in progress afterwards."""
    kind = arguments.kind(args.kind)
    request = resource_pb2.DeleteResourceRequest(
        kind=kind,
        id=args.id,
        location=_location(args, oaktree),
        parents=_parents(args),
        allow_missing=args.allow_missing,
    )
    answer = oaktree.resources.DeleteResource(request, timeout=args.timeout)
    if answer.id:
        note(f"{kind} {answer.id} is deleted in {errors.place(answer.location)}, or will be in a moment")
    else:
        note(f"there is no {kind} {args.id}")
    return errors.OK


def _parents(args: argparse.Namespace) -> dict[str, str]:
    return {name: str(value) for name, value in arguments.values(args.parent or (), "--parent").items()}


def _location(args: argparse.Namespace, oaktree: Oaktree) -> Location | None:
    return arguments.locations([args.location], oaktree)[0] if args.location else None
