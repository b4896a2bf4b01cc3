"""`ResourceService.ListKinds`: the kinds with their verbs and attributes. Sends no request to clouds."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import grpc

from oaktree.v1 import resource_pb2
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Caller
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.rpcs.context import RpcContext

_SERVICE: Final = resource_pb2.DESCRIPTOR.services_by_name["ResourceService"].full_name


def register(server: grpc.aio.Server, kinds: Kinds, authenticate: Callable[[Any], Awaitable[Caller]]) -> None:
    """Add the RPC to a server. The service's other RPCs are verbs, like those of typed services.

    Args:
        server: a server that is not started yet.
        kinds: all kinds.
        authenticate: authenticates the caller of a call's context.
    """

    async def answer(request: Any, context: Any) -> resource_pb2.ListKindsResponse:
        async with RpcContext(context):
            await authenticate(context)
            return listed(kinds, request.kind)

    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=resource_pb2.ListKindsRequest.FromString,
        response_serializer=resource_pb2.ListKindsResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"ListKinds": handler}),))


def listed(kinds: Kinds, wanted: str) -> resource_pb2.ListKindsResponse:
    """The kinds, sorted by name: all kinds, those of a service, or the one with the wanted name.

    Raises:
        errors.InvalidError: no kind matches.
    """
    documents = [
        document
        for name, document in sorted(kinds.documents.items())
        if wanted in ("", name) or name.startswith(f"{wanted}.")
    ]
    if not documents:
        raise errors.invalid("kind", f"expected a kind or a service that has some, got {wanted[:80]!r}")
    return resource_pb2.ListKindsResponse(kinds=map(_kind, documents))


def _kind(document: Mapping[str, Any]) -> resource_pb2.Kind:
    return resource_pb2.Kind(
        kind=document["kind"],
        sdk_class=document["sdk_class"],
        verbs=document["verbs"],
        message=document.get("message", ""),
        attributes=[
            resource_pb2.Attribute(
                name=attribute["name"],
                type=attribute["type"],
                description=attribute.get("description", ""),
                parent=attribute.get("parent", False),
                filter=attribute.get("filter", False),
            )
            for attribute in document["attributes"]
        ],
    )
