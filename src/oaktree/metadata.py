"""Adds metadata to every call of a channel."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc


@dataclass(frozen=True, slots=True)
class _Call(grpc.ClientCallDetails):
    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str | bytes], ...] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


# Generic only in the type stubs: at run time they take no type parameters.
class WithMetadata(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg] # as said above
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg] # as said above
    grpc.StreamUnaryClientInterceptor,  # type: ignore[type-arg] # as said above
    grpc.StreamStreamClientInterceptor,  # type: ignore[type-arg] # as said above
):
    """The interceptor that adds the metadata."""

    def __init__(self, metadata: Iterable[tuple[str, str]]) -> None:
        """Keep the metadata.

        Args:
            metadata: names and values; a name may have several.
        """
        self._metadata = tuple(metadata)

    def _add(self, call: grpc.ClientCallDetails) -> _Call:
        known = (*(call.metadata or ()), *self._metadata)
        return _Call(call.method, call.timeout, known, call.credentials, call.wait_for_ready, call.compression)

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """One request, one answer."""
        return continuation(self._add(client_call_details), request)

    def intercept_unary_stream(
        self, continuation: Any, client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """One request, a stream of answers."""
        return continuation(self._add(client_call_details), request)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: grpc.ClientCallDetails, request_iterator: Any
    ) -> Any:
        """A stream of requests, one answer."""
        return continuation(self._add(client_call_details), request_iterator)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: grpc.ClientCallDetails, request_iterator: Any
    ) -> Any:
        """Streams both ways."""
        return continuation(self._add(client_call_details), request_iterator)
