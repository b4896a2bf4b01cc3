"""The context of one RPC."""

import asyncio
import time
from types import TracebackType
from typing import Any, Final

import grpc

from openstackoid.oaktree import statuses
from openstackoid.oaktree.upstream.calls import Call


class RpcContext:
    """Around the body of a handler: maps errors to statuses, and cancels upstream work when the client cancels.

    `async with` gives the `Call`, which has the client's deadline.
    """

    def __init__(self, context: Any) -> None:
        """Prepare.

        Args:
            context: a `grpc.aio.ServicerContext`.
        """
        self._context: Final = context
        seconds = context.time_remaining()
        self._call: Final = Call(None if seconds is None else time.monotonic() + seconds)

    async def __aenter__(self) -> Call:
        return self._call

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._call.cancel()
        elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
            await statuses.abort(self._context, error)
