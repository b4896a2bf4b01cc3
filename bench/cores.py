"""HAProxy on a core of its own, all else on the others, as operators run it: what is measured is not what others do to its caches."""

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar

_LEFT: ContextVar[frozenset[int]] = ContextVar("cores that HAProxy has for itself", default=frozenset())


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """This process, and what it starts, leave the first of their cores to those that are `put` there; with one core, nothing changes."""
    all_ = os.sched_getaffinity(0)
    left = frozenset({min(all_)}) if len(all_) > 1 else frozenset()
    os.sched_setaffinity(0, all_ - left)
    token = _LEFT.set(left)
    try:
        yield
    finally:
        _LEFT.reset(token)
        os.sched_setaffinity(0, all_)


def put(process: int) -> None:
    """Have a process, and what it starts, use the core that was left; where none was, it stays where it is."""
    if left := _LEFT.get():
        os.sched_setaffinity(process, left)
