"""Extracts the system's or TLS's message of a failed connection from the exceptions that urllib3 and aiohttp wrap around it. Pure."""

import ssl
from collections.abc import Iterator
from typing import Any

import requests


def behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, including those in its arguments, where requests keeps urllib3's errors."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        current = waiting.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def why(error: BaseException) -> str:
    """The message of the system: "Connection refused", "Name or service not known", "certificate has expired"; empty if there is none."""
    text = ""
    for cause in behind(error):
        # aiohttp has a subclass without the message.
        if isinstance(cause, ssl.SSLCertVerificationError) and (message := getattr(cause, "verify_message", "")):
            return str(message)
        # requests' own errors are OSErrors without the system's message.
        if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException | TimeoutError):
            text = (
                cause.strerror or (str(cause.args[0]) if cause.args and isinstance(cause.args[0], str) else "") or text
            )
    return text


def plain(error: requests.RequestException, address: str) -> requests.RequestException:
    """Make an error of the same type with a readable message; the original error is its cause."""
    if isinstance(error, requests.exceptions.SSLError):
        text = why(error) or "TLS failed"
    elif isinstance(error, requests.ConnectTimeout):
        text = "timed out without a connection"
    elif isinstance(error, requests.Timeout):
        text = "timed out without an answer"
    elif isinstance(error, requests.ConnectionError):
        text = why(error) or "the connection broke"
    else:
        return error
    described = type(error)(f"{text} ({address})", request=error.request, response=error.response)
    described.__cause__ = error
    return described
