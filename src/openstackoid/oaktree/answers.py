"""Reads the HTTP answer of a cloud from an exception of openstacksdk or keystoneauth. Pure.

HTTP 404 means that a resource does not exist only if it comes from the service that owns the resource. A wrong `auth_url`, a wrong catalog entry, and a
proxy without a route answer 404 as well: a client that takes these for "does not exist" would create a resource a second time.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import keystoneauth1.exceptions as keystone
import openstack.exceptions as sdk

GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
# Headers of oslo.middleware's request_id.py, of nova and ironic, and of swift (catch_errors.py): proxies do not add them.
_REQUEST_IDS: Final = ("x-openstack-request-id", "x-compute-request-id", "openstack-request-id", "x-trans-id")
# Keys of services' error documents: octavia's, mistral's and gnocchi's WSME, ironic's, heat's, designate's, barbican's; nova and others have the message in
# a nested object. Proxies that answer with JSON have a string in "message", "detail" or "error_msg".
_FORMS: Final = frozenset({"faultstring", "faultcode", "error_message", "errors", "explanation", "title", "type"})
# Retry delay in seconds after 429 or 503 without a Retry-After header; and the maximum delay accepted from a cloud.
_RETRY_AFTER: Final = 1.0
_LONGEST_RETRY: Final = 86_400.0


def http_status(error: BaseException) -> int | None:
    """The HTTP status of the cloud's answer; None if the error is not an answer."""
    number = None
    if isinstance(error, keystone.HttpError):
        number = error.http_status
    elif isinstance(error, sdk.HttpException):
        number = error.status_code
    return number or None


def absent(error: BaseException) -> bool:
    """Whether the service that owns a resource answered that it does not exist.

    openstacksdk's exceptions are answers of that service; keystoneauth's exceptions are answers of Keystone, or to version discovery.
    """
    return isinstance(error, sdk.HttpException) and http_status(error) in GONE and of_a_service(error.response)


def of_a_service(response: Any) -> bool:
    """Whether an answer comes from an OpenStack service, and not from a proxy in front of it."""
    if response is None:
        return True  # there is no evidence of a proxy
    if any(name in response.headers for name in _REQUEST_IDS):
        return True
    try:
        document = response.json()
    except ValueError:
        return False
    if not isinstance(document, Mapping):
        return False
    return bool(_FORMS & document.keys()) or any(isinstance(part, Mapping) for part in document.values())


def text(error: BaseException) -> str:
    """The cloud's error message."""
    # openstacksdk has the cloud's message in `details` and its own in `message`; keystoneauth has the cloud's in both.
    message, details = getattr(error, "message", None), getattr(error, "details", None)
    words = details if isinstance(error, sdk.HttpException) and details else message or details
    return str(words or type(error).__name__)


def url(error: BaseException) -> str:
    """The URL of the request; empty if it is not known."""
    address = getattr(error, "url", None) or getattr(getattr(error, "response", None), "url", None)
    return str(address or "").partition("?")[0]


def facts(error: BaseException) -> dict[str, str]:
    """The HTTP status, and the request id, with which operators find the request in the cloud's logs."""
    number = http_status(error)
    if number is None:
        return {}
    request_id = getattr(error, "request_id", None) or _header(error, "x-compute-request-id")
    return {"http_status": str(number), "request_id": str(request_id or "")}


def retry_after(error: BaseException) -> float | None:
    """Seconds after which the request may be retried; None if a retry is useless."""
    number = http_status(error)
    if number not in {413, 429, 503}:
        return None
    seconds = parse_retry_after(_header(error, "retry-after"))
    return _RETRY_AFTER if seconds is None and number != HTTPStatus.REQUEST_ENTITY_TOO_LARGE else seconds


def parse_retry_after(value: str | None) -> float | None:
    """Parse a `Retry-After` header (seconds, or an HTTP date). Returns seconds, from 0 to a day; None if it is missing or malformed."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY)


def _header(error: BaseException, name: str) -> str | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get(name)
    return None if value is None else str(value)
