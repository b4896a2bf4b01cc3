"""What an HTTP answer of a cloud says of an error, whichever of openstacksdk and keystoneauth raised it. Pure.

An answer 404 means that a resource is not there only where the service that owns it says so. A wrong `auth_url`, a catalog that leads elsewhere, and a
proxy without a route answer 404 as well: whoever takes that for "gone" creates again what is there.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import keystoneauth1.exceptions as keystone
import openstack.exceptions as sdk

GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
# oslo.middleware's request_id.py, nova's and ironic's own, and swift's (catch_errors.py): proxies do not make them up.
_REQUEST_IDS: Final = ("x-openstack-request-id", "x-compute-request-id", "openstack-request-id", "x-trans-id")
# What services answer errors with: octavia's, mistral's and gnocchi's WSME, ironic's, heat's, designate's, barbican's; nova and others have the message in
# an object of its own. Proxies that answer with JSON have a text in "message", "detail" or "error_msg".
_FORMS: Final = frozenset({"faultstring", "faultcode", "error_message", "errors", "explanation", "title", "type"})
# Seconds until the next try, where a cloud says 429 or 503 and not when; and the longest that a cloud is believed.
_RETRY_AFTER: Final = 1.0
_LONGEST_RETRY: Final = 86_400.0


def http_status(error: BaseException) -> int | None:
    """The status that a cloud answered with; None if the error is no answer."""
    number = None
    if isinstance(error, keystone.HttpError):
        number = error.http_status
    elif isinstance(error, sdk.HttpException):
        number = error.status_code
    return number or None


def absent(error: BaseException) -> bool:
    """Whether the service that owns a resource says that it is not there.

    openstacksdk raises what its requests to that service are answered with. keystoneauth raises what Keystone, or a search for versions, is answered with.
    """
    return isinstance(error, sdk.HttpException) and http_status(error) in GONE and of_a_service(error.response)


def of_a_service(response: Any) -> bool:
    """Whether an answer is one that services of OpenStack give, and no proxy before them."""
    if response is None:
        return True  # there is nothing that says otherwise
    if any(name in response.headers for name in _REQUEST_IDS):
        return True
    try:
        document = response.json()
    except ValueError:
        return False
    if not isinstance(document, Mapping):
        return False
    return bool(_FORMS & document.keys()) or any(isinstance(each, Mapping) for each in document.values())


def text(error: BaseException) -> str:
    """The cloud's own words."""
    # openstacksdk keeps the cloud's words in `details` and its own in `message`; keystoneauth has both from the cloud.
    message, details = getattr(error, "message", None), getattr(error, "details", None)
    words = details if isinstance(error, sdk.HttpException) and details else message or details
    return str(words or type(error).__name__)


def url(error: BaseException) -> str:
    """What was asked; empty if that is not known."""
    found = getattr(error, "url", None) or getattr(getattr(error, "response", None), "url", None)
    return str(found or "").partition("?")[0]


def facts(error: BaseException) -> dict[str, str]:
    """The status, and the request's id for the cloud's logs."""
    number = http_status(error)
    if number is None:
        return {}
    request_id = getattr(error, "request_id", None) or _header(error, "x-compute-request-id")
    return {"http_status": str(number), "request_id": str(request_id or "")}


def retry_after(error: BaseException) -> float | None:
    """Seconds after which it may be tried again; None where trying again helps nothing."""
    number = http_status(error)
    if number not in {413, 429, 503}:
        return None
    seconds = parse_retry_after(_header(error, "retry-after"))
    return _RETRY_AFTER if seconds is None and number != HTTPStatus.REQUEST_ENTITY_TOO_LARGE else seconds


def parse_retry_after(value: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number of them, or an HTTP date): 0 to a day. None if there is none, or it is wrong."""
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
