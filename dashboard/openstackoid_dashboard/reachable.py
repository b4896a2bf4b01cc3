"""Whether a region answers: one request to one of its services, remembered for a few seconds for all users of a process."""

import time
from threading import Lock
from urllib.parse import urlsplit

import requests
from django.utils.translation import gettext as _

from openstackoid_dashboard import sending

TIMEOUT = (2, 3)  # seconds to connect, and between two pieces of an answer
REMEMBERED = 3.0  # seconds
MOST = 1000  # regions that are remembered
SERVICES = (
    "compute",
    "image",
    "network",
)  # which of a region's services is asked: the first of these that it has, or any
PREFIX = "/scope/"  # of the paths of a region that a gateway serves
_BAD_GATEWAY = 502
_remembered: dict[str, tuple[float, str | None]] = {}
_lock = Lock()


def reason(endpoints: dict[str, str], token: str) -> str | None:
    """Say why a region cannot be used; nothing if it can, or if no gateway serves it: then Horizon's own messages are all there is.

    Args:
        endpoints: service type -> URL, of one region.
        token: of the user.
    """
    kind = next((kind for kind in SERVICES if kind in endpoints), min(endpoints))
    url = endpoints[kind]
    if not urlsplit(url).path.startswith(PREFIX):
        return None
    now = time.monotonic()
    with _lock:
        until, answer = _remembered.get(url, (0.0, None))
    if until > now:
        return answer
    answer = _ask(url.rstrip("/") + "/", token)
    with _lock:
        if len(_remembered) >= MOST:
            _remembered.clear()
        _remembered[url] = (time.monotonic() + REMEMBERED, answer)
    return answer


def _ask(url: str, token: str) -> str | None:
    try:
        answer = sending.send("GET", url, {"X-Auth-Token": token}, timeout=TIMEOUT)
    except requests.RequestException as error:
        return f"{urlsplit(url).netloc} does not answer ({type(error).__name__})"
    error = sending.error(answer)
    if answer.status_code < _BAD_GATEWAY:
        return str(error.get("message")) if "openstackoid_code" in error else None
    # The message has addresses of the provider, which are not for users.
    return _("it does not answer (HTTP %(status)s, %(code)s)") % {
        "status": answer.status_code,
        "code": error.get("openstackoid_code", "-"),
    }
