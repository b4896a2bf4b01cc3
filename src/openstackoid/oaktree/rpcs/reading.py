"""Parsing of requests: a request that cannot be parsed ends its own call, with the same status for all RPCs of the server."""

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError

from openstackoid.oaktree import errors, statuses


@dataclass(frozen=True)
class _Unreadable:
    """A placeholder for a request that cannot be parsed: gRPC would map an exception of the deserializer to UNKNOWN, and log it."""

    error: errors.InvalidError


class Reading(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic only in the type stubs
    """Answers INVALID_ARGUMENT to a request that cannot be parsed, before its handler is called."""

    def __init__(self) -> None:
        """Create it without handlers."""
        self._known: Final[dict[str, Any]] = {}

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """The handler of an RPC; None if there is none."""
        method = handler_call_details.method
        if method not in self._known:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None  # do not cache method names that callers make up
            self._known[method] = _checked(method, handler)
        return self._known[method]


def _checked(method: str, handler: Any) -> Any:
    options = {
        "request_deserializer": _reader(method, handler.request_deserializer),
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(_answer(handler.unary_unary), **options)
    if handler.unary_stream:
        # A handler that is no generator writes its responses itself.
        wrap = _stream if inspect.isasyncgenfunction(handler.unary_stream) else _answer
        return grpc.unary_stream_rpc_method_handler(wrap(handler.unary_stream), **options)
    if handler.stream_unary:
        raise TypeError(f"{method}: no rpc here takes a stream and gives one answer")
    return grpc.stream_stream_rpc_method_handler(_exchange(handler.stream_stream), **options)


def _reader(method: str, read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    service, _, name = method.removeprefix("/").rpartition("/")
    message = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name].input_type.name

    def reads(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return _Unreadable(errors.invalid("request", f"expected a message {message}, and text in it as UTF-8"))

    return reads


def _answer(handler: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(request: Any, context: Any) -> Any:
        if isinstance(request, _Unreadable):
            await statuses.abort(context, request.error)
        return await handler(request, context)

    return answer


def _stream(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        if isinstance(request, _Unreadable):
            await statuses.abort(context, request.error)
        async with contextlib.aclosing(handler(request, context)) as answers:
            async for answer in answers:
                yield answer

    return stream


def _exchange(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def read(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            if isinstance(request, _Unreadable):
                raise request.error
            yield request

    async def exchange(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        try:
            async with contextlib.aclosing(handler(read(requests), context)) as answers:
                async for answer in answers:
                    yield answer
        except errors.InvalidError as error:
            await statuses.abort(context, error)

    return exchange
