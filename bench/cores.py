"""HAProxy on a core of its own, all else on the others, as operators run it: what is measured is not what others do to its caches."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """This process, and what it starts, leave the first core to those that are `put` there; with one core, nothing changes."""
    all_ = os.sched_getaffinity(0)
    os.sched_setaffinity(0, all_ - {min(all_)} or all_)
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_)


def put(process: int) -> None:
    """Have a process, and what it starts, use the cores that this one has left."""
    left = set(range(os.cpu_count() or 1)) - os.sched_getaffinity(0)
    with contextlib.suppress(OSError):  # a container may not have them
        if left:
            os.sched_setaffinity(process, left)
