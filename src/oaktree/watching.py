"""A watch that survives a restart of its server: it is repeated until the new server, or another worker, answers."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc

# Seconds between two tries: the first, and the longest; each is shortened by a random part of up to half, since many clients watch one server.
_FIRST: Final = 1.0
_LONGEST: Final = 8.0


def watch(
    rpc: Callable[..., Any],
    request: Any,
    *,
    timeout: float | None = None,
    patience: float = 60.0,
    lost: Callable[[grpc.RpcError], None] | None = None,
) -> Iterator[Any]:
    """Yield the answers of a watch. A watch that breaks off with UNAVAILABLE (its server stops, or the connection ends) is repeated.

    The new watch begins with the current state, as every watch does (CHANGE_CURRENT): the changes in between are not reported one by one.

    Args:
        rpc: the stub's method, such as `oaktree.compute.WatchServer`.
        request: the request.
        timeout: total timeout in seconds; None for no timeout.
        patience: seconds of retries without an answer, after which the last error is raised; 0 for no retries.
        lost: called each time the watch breaks off, before the retry.

    Raises:
        grpc.RpcError: the error that ended the watch; also UNAVAILABLE, if there was never an answer.
    """
    end = None if timeout is None else time.monotonic() + timeout
    broken: float | None = None  # time.monotonic() since which there is no answer
    begun, pause = False, _FIRST
    while True:
        call = rpc(request, timeout=None if end is None else max(0.001, end - time.monotonic()))
        try:
            for answer in call:
                begun, broken, pause = True, None, _FIRST
                yield answer
        except grpc.RpcError as error:
            now = time.monotonic()
            broken = now if broken is None else broken
            passes = begun and error.code() is grpc.StatusCode.UNAVAILABLE
            if not passes or now >= broken + patience:
                raise
            if lost is not None:
                lost(error)
            wait = pause * (1 - random.random() / 2)  # noqa: S311 - spreads load, no secret
            time.sleep(wait if end is None else max(0.0, min(wait, end - now)))
            pause = min(2 * pause, _LONGEST)
        else:
            return
        finally:
            call.cancel()
