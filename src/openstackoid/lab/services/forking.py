"""Processes by fork, each with work of its own."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


def fork(work: Callable[[], None]) -> int:
    """Do ``work`` in a child, which never comes back here."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        child(work)
    return pid


def child(work: Callable[[], None]) -> NoReturn:
    """Do ``work``, say on stderr what went wrong, and end without the parent's clean-up."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:  # noqa: BLE001  # whatever it was, it belongs into the log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait_for(pid: int) -> None:
    """Wait until a child has ended, and fail as it failed."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise SystemExit(status if status > 0 else 1)
