"""`call clouds`, `kinds` and `rest`: the clouds, the kinds, and access to a cloud's own API."""

import argparse
import json
from typing import Final
from urllib.parse import quote

from oaktree.client import Oaktree
from oaktree.v1 import cloud_pb2, resource_pb2
from openstackoid.oaktree.call import arguments, errors, output
from openstackoid.oaktree.call.columns import cell

# Headers of requests that are not secret.
_OPEN: Final = frozenset({"accept", "content-type", "openstack-api-version", "user-agent"})
_HIDDEN: Final = "(a secret; -f curl and -f json have it)"


def clouds(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """List the cloud-regions with their known health; sends no request to them."""
    request = cloud_pb2.ListCloudsRequest(locations=arguments.locations(args.location or (), oaktree))
    answer = oaktree.clouds.ListClouds(request, timeout=args.timeout)
    documents = [output.document(cloud) for cloud in answer.clouds]
    if args.format == "table":
        head = ["location", "asked", "services", "again at", "went wrong"]
        rows = [
            (
                errors.place(cloud.location),
                cell(cloud.available),
                ", ".join(cloud.services),
                cloud.retry_at.ToJsonString() if cloud.HasField("retry_at") else None,
                cloud.last_error.message,
            )
            for cloud in answer.clouds
        ]
        output.grid(head, rows)
    else:
        output.documents(documents, args.format)
    return errors.OK


def kinds(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """List the kinds of resources, or the attributes of one kind."""
    wanted = (args.kind or "").replace("-", "_")
    answer = oaktree.resources.ListKinds(
        resource_pb2.ListKindsRequest(kind=_kind_or_service(wanted)), timeout=args.timeout
    )
    documents = [output.document(kind) for kind in answer.kinds]
    if args.format != "table":
        output.documents(documents, args.format)
    elif len(answer.kinds) == 1 and wanted:
        _attributes(answer.kinds[0])
    else:
        head = ["kind", "verbs", "message"]
        output.grid(head, [(kind.kind, ", ".join(kind.verbs), kind.message) for kind in answer.kinds])
    return errors.OK


def _kind_or_service(wanted: str) -> str:
    """Expand a kind's short name; the name of a service stays unchanged."""
    if not wanted or wanted in arguments.services():
        return wanted
    return arguments.kind(wanted)


def _attributes(kind: resource_pb2.Kind) -> None:
    print(f"{kind.kind}: {', '.join(kind.verbs)}; openstacksdk's {kind.sdk_class}\n")
    rows = [
        (
            attribute.name,
            attribute.type,
            " ".join(word for word, is_so in (("parent", attribute.parent), ("filter", attribute.filter)) if is_so),
            attribute.description,
        )
        for attribute in kind.attributes
    ]
    output.grid(["attribute", "type", "use", "what it is"], rows)


def rest(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Show the endpoint of a cloud's own API, with the headers that it needs."""
    [location] = arguments.locations([args.location], oaktree)
    request = cloud_pb2.GetRestInfoRequest(location=location, service=args.service)
    answer = oaktree.clouds.GetRestInfo(request, timeout=args.timeout)
    url = answer.root_url
    if args.path:
        url = f"{url.rstrip('/')}/{quote(args.path.lstrip('/'), safe='/?&=%:@,+~!*().;-_')}"
    ends = answer.expires_at.ToJsonString() if answer.HasField("expires_at") else None
    if args.format == "curl":
        for name, value in (("url", url), *(("header", f"{name}: {value}") for name, value in answer.headers.items())):
            print(f"{name} = {json.dumps(value)}")
    elif args.format == "table":
        headers = [
            (name, value if name.lower() in _OPEN else _HIDDEN) for name, value in sorted(answer.headers.items())
        ]
        output.pairs({"url": url, "ends": ends, **dict(headers)})
    else:
        output.documents({"url": url, "headers": dict(answer.headers), "expires_at": ends}, args.format)
    return errors.OK
