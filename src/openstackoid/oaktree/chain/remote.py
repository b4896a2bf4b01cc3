"""Clients of other oaktrees: send an RPC to an oaktree, and rename the clouds in its answers to their names here.

The clouds of an oaktree that is named SiteB here are SiteB/CloudOne and so on: each server removes the first part of the path from a request and
adds it to the response, so no server needs to know the whole path. `x-oaktree-path` lists the servers that a call has passed; a server that finds itself in
it refuses the call, and so does the ninth.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc_status import rpc_status

from oaktree.v1 import cloud_pb2
from openstackoid.core.errors import ConfigError
from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.access import addresses
from openstackoid.oaktree.access.callers import RemotePart
from openstackoid.oaktree.chain.renaming import prefixed, renamed_status
from openstackoid.oaktree.config import Oaktree
from openstackoid.oaktree.masking import clean

M = TypeVar("M", bound=Message)

# The share of a caller's deadline that is reserved for reporting an oaktree that did not answer in time.
_KEPT: Final = 0.05
_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 10_000),
)
_SERVICE: Final = "/oaktree.v1.CloudService"


class OaktreeUnreachableError(errors.OaktreeError):
    """Another oaktree could not be reached, or the call to it broke off."""

    code: ClassVar[StatusCode] = StatusCode.UNAVAILABLE
    reason: ClassVar[str] = "OAKTREE_UNREACHABLE"

    def __init__(self, site: str, message: str) -> None:
        """Keep the name of the oaktree."""
        self.cloud = site
        super().__init__(f"the oaktree {site} {message}")


class RemoteOaktrees:
    """The other oaktrees of a server, each with one channel. For use in one event loop."""

    def __init__(self, oaktrees: Iterable[Oaktree] = (), *, timeout: float = 30.0) -> None:
        """Check the configuration; connects on first use.

        Args:
            oaktrees: the configured oaktrees.
            timeout: seconds for an answer, if the caller's deadline is not earlier.

        Raises:
            ConfigError: plaintext to another machine is configured, or a file cannot be read.
        """
        self._timeout: Final = timeout
        self._makers: Final[dict[str, Callable[[], grpc.aio.Channel]]] = {
            other.name: _maker(other) for other in oaktrees
        }
        self._channels: Final[dict[str, grpc.aio.Channel]] = {}

    @property
    def names(self) -> frozenset[str]:
        """The names of the oaktrees, as configured here."""
        return frozenset(self._makers)

    async def close(self) -> None:
        """Close the channels; calls in progress are cancelled."""
        for channel in self._channels.values():
            await channel.close(None)
        self._channels.clear()

    async def one(
        self,
        method: str,
        request: Message,
        answer: type[M],
        to: RemotePart,
        left: float | None,
        *,
        patience: float | None = None,
    ) -> M:
        """Call an RPC with one response. Returns the response.

        Args:
            method: the full name: "/oaktree.v1.ComputeService/GetServer".
            request: the request, by the names of the other oaktree.
            answer: the type of the response.
            to: the oaktree, with the caller's credentials.
            left: seconds to the caller's deadline, or None.
            patience: seconds for an answer, if not the default.

        Raises:
            grpc.aio.AioRpcError: the status of the other oaktree, by the names of this one.
            OaktreeUnreachableError: the other oaktree did not answer.
        """
        call = self._channel(to.site).unary_unary(
            method, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )
        try:
            reply: M = await call(request, metadata=to.metadata, timeout=patience or self._patience(left))
            return prefixed(to.site, reply)
        except grpc.aio.AioRpcError as error:
            raise relayed(to.site, error, patience=patience or self._own(left)) from None

    async def stream(
        self,
        method: str,
        request: Message,
        answer: type[M],
        to: RemotePart,
        left: float | None,
        *,
        endless: bool = False,
    ) -> AsyncGenerator[M, None]:
        """Call an RPC with a stream of responses; arguments as for `one`. An `endless` stream has only the caller's deadline."""
        call = self._channel(to.site).unary_stream(
            method, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )
        patience = _most(left) if endless else self._patience(left)
        own = None if endless else self._own(left)
        under_way = call(request, metadata=to.metadata, timeout=patience)
        async with contextlib.aclosing(_answers(under_way, to, own)) as answers:
            async for message in answers:
                yield message

    async def exchange(
        self, method: str, requests: AsyncIterator[Message], answer: type[M], to: RemotePart, left: float | None
    ) -> AsyncGenerator[M, None]:
        """Call an RPC with a stream of requests; it has only the caller's deadline. Exceptions of `requests` are raised here."""
        failed: list[Exception] = []

        async def passed() -> AsyncIterator[Message]:
            try:
                async for request in requests:
                    yield request
            except Exception as error:
                # gRPC cancels the call, so that an incomplete stream is not taken for a complete one, and does not report the exception.
                failed.append(error)
                raise

        call = self._channel(to.site).stream_stream(
            method,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        under_way: Any = call(passed(), metadata=to.metadata, timeout=_most(left))
        under_way._cython_call = _Patient(under_way._cython_call)  # noqa: SLF001 - see there
        try:
            async with contextlib.aclosing(_answers(under_way, to)) as answers:
                async for message in answers:
                    yield message
        except (asyncio.CancelledError, OaktreeUnreachableError):
            if failed:
                raise failed[0] from None
            raise

    async def clouds(self, to: RemotePart, left: float | None) -> list[cloud_pb2.Cloud]:
        """Get the cloud-regions that the caller may use at the other oaktree."""
        request = cloud_pb2.ListCloudsRequest(locations=to.locations)
        reply = await self.one(f"{_SERVICE}/ListClouds", request, cloud_pb2.ListCloudsResponse, to, left)
        return list(reply.clouds)

    async def rest_info(self, to: RemotePart, service: str, left: float | None) -> cloud_pb2.GetRestInfoResponse:
        """Get the endpoint and token of a cloud's own API from the other oaktree."""
        request = cloud_pb2.GetRestInfoRequest(service=service)
        for location in to.locations:
            request.location.CopyFrom(location)
        return await self.one(f"{_SERVICE}/GetRestInfo", request, cloud_pb2.GetRestInfoResponse, to, left)

    def _patience(self, left: float | None) -> float:
        return min(self._timeout, _most(left) or self._timeout)

    def _own(self, left: float | None) -> float | None:
        """The server's timeout if it ends before the caller's deadline; else None."""
        return self._timeout if left is None or self._timeout < left * (1 - _KEPT) else None

    def _channel(self, site: str) -> grpc.aio.Channel:
        if site not in self._channels:
            self._channels[site] = self._makers[site]()
        return self._channels[site]


class _Patient:
    """Wraps gRPC's call of a stream of requests, so that the status of the server is read.

    If the server has refused the call, sending fails first: gRPC ends the call with INTERNAL ("Internal error from Core"), and drops the
    server's status, which it has not read yet. This happens in one of ten calls.
    """

    def __init__(self, call: Any) -> None:
        self._call: Final = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def set_internal_error(self, error: str) -> None:
        """Do nothing: gRPC reads the status after this call."""


def _most(left: float | None) -> float | None:
    return None if left is None else max(0.001, left * (1 - _KEPT))


async def _answers(under_way: Any, to: RemotePart, patience: float | None = None) -> AsyncGenerator[Any, None]:
    try:
        async for message in under_way:
            yield prefixed(to.site, message)
    except grpc.aio.AioRpcError as error:
        raise relayed(to.site, error, patience=patience) from None
    finally:
        under_way.cancel()


def _maker(oaktree: Oaktree) -> Callable[[], grpc.aio.Channel]:
    address = oaktree.target
    if address.startswith("unix:") or oaktree.plaintext:
        address_ = addresses.parse(address)
        if not address_.private:
            raise ConfigError(
                f"oaktrees: {oaktree.name}: plaintext is for Unix sockets and loopback addresses: expected TLS"
            )
        target = f"unix:{address_.path}" if address_.path else address
        return lambda: grpc.aio.insecure_channel(target, options=_OPTIONS)
    try:
        authority, certificate, key = (
            file.read_bytes() if file else None for file in (oaktree.ca, oaktree.certificate, oaktree.key)
        )
    except OSError as error:
        raise ConfigError(f"oaktrees: {oaktree.name}: {error.filename}: {error.strerror}") from error
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    name = (("grpc.ssl_target_name_override", oaktree.server_name),) if oaktree.server_name else ()
    return lambda: grpc.aio.secure_channel(address, credentials, options=(*_OPTIONS, *name))


def relayed(site: str, error: grpc.aio.AioRpcError, *, patience: float | None = None) -> Exception:
    """Convert the error of a call to another oaktree: its status by the names here, or an OaktreeUnreachableError.

    Args:
        site: the name of the oaktree.
        error: the error of the call.
        patience: this server's timeout in seconds, if it ended before the caller's deadline.
    """
    details = None
    metadata: Any = error.trailing_metadata() or ()
    for name, value in metadata:
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            with contextlib.suppress(DecodeError):
                details = status_pb2.Status.FromString(value)
    if details is None or details.code != error.code().value[0]:
        if error.code() is StatusCode.DEADLINE_EXCEEDED and patience:
            return OaktreeUnreachableError(site, f"did not answer within {patience:g} s, this server's timeout")
        if error.code() is StatusCode.DEADLINE_EXCEEDED:
            return errors.CallDeadlineError(f"the oaktree {site} did not answer in time")
        if error.code() is StatusCode.UNIMPLEMENTED:
            return errors.UnsupportedError(f"the oaktree {site} does not know this rpc")
        return OaktreeUnreachableError(site, f"did not answer: {clean(error.details() or error.code().name, 200)}")
    status = rpc_status.to_status(renamed_status(site, details))
    return grpc.aio.AioRpcError(
        status.code, grpc.aio.Metadata(), grpc.aio.Metadata(*status.trailing_metadata), status.details, None
    )


def elsewhere(to: RemotePart, error: BaseException, *, loops: bool = True) -> bool:
    """Whether an error only means that the request does not concern the oaktree: it has no such region, or (with `loops`) the call came back."""
    status = statuses.status(error)
    if to.named:
        return False
    if statuses.reason(status) == "LOOP":
        return loops
    if status.code != StatusCode.INVALID_ARGUMENT.value[0]:
        return False
    wrong = error_details_pb2.BadRequest()
    return any(
        detail.Unpack(wrong)
        and any(field_violation.field.startswith("location") for field_violation in wrong.field_violations)
        for detail in status.details
    )


def timed(started: float) -> int:
    """The nanoseconds since a time of `time.monotonic()`."""
    return int((time.monotonic() - started) * 1e9)


def parts(remote_parts: Sequence[RemotePart]) -> list[RemotePart]:
    """Split the parts for requests that have one location: one part for each location."""
    return [
        replace(remote_part, locations=(where,) if where else ())
        for remote_part in remote_parts
        for where in (remote_part.locations or (None,))
    ]
