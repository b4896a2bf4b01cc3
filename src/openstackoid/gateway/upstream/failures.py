"""Why a connection to an upstream failed, in a few words."""

import contextlib

import aiohttp


def reason(error: BaseException) -> str:
    """The reason for people, without any part of the request."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    cause: BaseException | None = getattr(error, "os_error", None) or error
    with contextlib.suppress(AttributeError):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    named = {
        "ServerDisconnectedError": "it closed the connection",
        "ClientResponseError": "the head of its answer is not HTTP, or has a line of more than 64 KiB",
    }
    return named.get(type(error).__name__, type(error).__name__)
