"""Why a connection to an upstream failed: in a few words for users, with the address for the log."""

import contextlib
import logging
import math
import os
import socket
import ssl
import time
from typing import Final, TypeVar

import aiohttp

from openstackoid.core.errors import OpenStackoidError

_LOG: Final = logging.getLogger(__name__)
_QUIET_INTERVAL: Final = 10.0  # seconds between two log lines about one address
E = TypeVar("E", bound=OpenStackoidError)


class FailureLog:
    """Logs failures of upstreams with their addresses, which users are not told: a line for each address and ten seconds."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}

    def note(self, error: E, base: str) -> E:
        """Log a failure, and return it; `base` is the address, a base URL."""
        now = time.monotonic()
        if now - self._logged.get(base, -math.inf) >= _QUIET_INTERVAL:
            self._logged[base] = now
            _LOG.warning("%s: %s", base, error)
        return error


def reason(error: BaseException) -> str:
    """The reason for people, without any part of the request, and without an address: asyncio's texts have it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    cause: BaseException | None = getattr(error, "os_error", None) or error
    with contextlib.suppress(AttributeError):
        if isinstance(cause, socket.gaierror | ssl.SSLError) and cause.strerror:
            return cause.strerror
        if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
            return os.strerror(cause.errno)
    named = {
        "ServerDisconnectedError": "it closed the connection",
        "ClientResponseError": "the head of its answer is not HTTP, or has a line of more than 64 KiB",
        "EndlessHeadError": "it informs without end, and does not answer",
    }
    return named.get(type(error).__name__, type(error).__name__)
