"""What systemd is told of a program that it started with `Type=notify`: a datagram with a state (sd_notify(3)).

Where nobody asks for it, `NOTIFY_SOCKET` is not set, and nothing is said.
"""

import logging
import os
import socket
import time
from typing import Final

_LOG: Final = logging.getLogger(__name__)
VARIABLE: Final = "NOTIFY_SOCKET"
READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
_TIMEOUT: Final = 1.0  # seconds


def reloading() -> str:
    """The state of one that reads its configuration again; `READY` follows."""
    # The time is what `Type=notify-reload` asks for, which systemd has since version 253.
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def tell(state: str) -> None:
    """Tell the state; if that fails, say so and go on."""
    name = os.environ.get(VARIABLE)
    if not name:
        return
    # "@" stands for the zero byte of an abstract address.
    address = f"\0{name[1:]}" if name.startswith("@") else name
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_TIMEOUT)
            sender.sendto(state.encode(), address)
    except OSError as error:
        _LOG.warning("systemd cannot be told %s at %s: %s", state.splitlines()[0], name, error)
