"""The handlers of all RPCs of the verbs, common to all kinds."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from openstackoid.oaktree import errors
from openstackoid.oaktree.access.requests import Request, checked
from openstackoid.oaktree.chain.chains import Chain
from openstackoid.oaktree.resources.methods import Method, methods
from openstackoid.oaktree.rpcs.context import RpcContext
from openstackoid.oaktree.rpcs.verbs import Engine, Verbs
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.verbs import CREATE, UPLOAD, Verb


class Services:
    """The handlers."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._chain: Final = Chain(Verbs(engine), engine.oaktrees, engine.deadlines)

    def register(self, server: grpc.aio.Server) -> list[str]:
        """Add the handlers to a server. Returns the names of the services."""
        missing = [verb for verb, part in ((CREATE, self._engine.creates), (UPLOAD, self._engine.uploads)) if not part]
        services: dict[str, dict[str, Any]] = {}
        for method in methods():
            if method.verb not in missing:
                services.setdefault(method.service, {})[method.name] = self._handler(method)
        for name, handlers in services.items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        return list(services)

    def _handler(self, method: Method) -> Any:
        verb = method.verb
        do = self._chain.of(verb)
        options = {
            "request_deserializer": method.request.FromString,
            "response_serializer": bytes if verb.encoded else method.response.SerializeToString,
        }

        async def exchange(messages: AsyncIterator[Any], context: Any) -> AsyncIterator[Message]:
            async with RpcContext(context) as call:
                first = await anext(messages, None)
                if first is None or first.WhichOneof("part") != "create":
                    raise errors.invalid("create", "expected in the first message")
                request = await self._checked(method, first.create, context, call)
                async with contextlib.aclosing(do(request, _pieces(messages))) as responses:
                    async for response in responses:
                        yield response

        async def stream(message: Any, context: Any) -> AsyncIterator[Message]:
            async with RpcContext(context) as call:
                request = await self._checked(method, message, context, call)
                async with contextlib.aclosing(do(request)) as responses:
                    async for response in responses:
                        yield response

        async def unary(message: Any, context: Any) -> Message:
            async with RpcContext(context) as call:
                return await do(await self._checked(method, message, context, call))  # type: ignore[no-any-return]

        return _rpc(verb, exchange, stream, unary, options)

    async def _checked(self, method: Method, message: Any, context: Any, call: Call) -> Request:
        return checked(method, message, await self._engine.authenticate(context), call, self._engine.kinds)


def _rpc(verb: Verb, exchange: Any, stream: Any, unary: Any, options: dict[str, Any]) -> Any:
    """Make the gRPC handler, unary or streaming as the verb requires."""
    if verb.stream_in:
        return grpc.stream_stream_rpc_method_handler(exchange, **options)
    if verb.stream_out:
        return grpc.unary_stream_rpc_method_handler(stream, **options)
    return grpc.unary_unary_rpc_method_handler(unary, **options)


async def _pieces(messages: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    async for message in messages:
        if message.WhichOneof("part") != "data":
            raise errors.invalid("create", "expected in the first message only; then data")
        yield message.data
