"""A watch that outlives its server: asked again where one stops, and the next one, or another worker, answers."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc

# Seconds between two tries: the first, and the longest; less up to a half by chance, for many watch the same server.
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
    """The answers of a watch. One that breaks off with UNAVAILABLE (its server stops, or the connection ends) is asked again.

    It then begins with what is, as every watch does (CHANGE_CURRENT): changes meanwhile are not told one by one.

    Args:
        rpc: of the stubs: `oaktree.compute.WatchServer`.
        request: its request.
        timeout: seconds for all of it; None for no end.
        patience: seconds without an answer to asking again, after which the last error is raised; 0 to ask once.
        lost: called each time that it breaks off, before it is asked again.

    Raises:
        grpc.RpcError: what ended it otherwise; also UNAVAILABLE, if it was never answered.
    """
    end = None if timeout is None else time.monotonic() + timeout
    broken: float | None = None  # since when there is no answer, as time.monotonic() has it
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
            wait = pause * (1 - random.random() / 2)  # noqa: S311 - spreads load, guards nothing
            time.sleep(wait if end is None else max(0.0, min(wait, end - now)))
            pause = min(2 * pause, _LONGEST)
        else:
            return
        finally:
            call.cancel()
