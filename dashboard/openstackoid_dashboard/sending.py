"""HTTP of the panels: to one address, without redirects, with Horizon's own settings for TLS."""

from typing import Any

import requests
from django.conf import settings

TIMEOUT = (5, 60)  # seconds to connect, and between two pieces of an answer


def send(method: str, url: str, headers: dict[str, str], *, timeout: Any = TIMEOUT, **more: Any) -> requests.Response:
    """Send a request. The token in the headers is for this address alone.

    Raises:
        requests.RequestException: nobody answers.
    """
    verify = False if settings.OPENSTACK_SSL_NO_VERIFY else settings.OPENSTACK_SSL_CACERT or True
    return requests.request(method, url, headers=headers, timeout=timeout, allow_redirects=False, verify=verify, **more)


def document(answer: requests.Response) -> dict[str, Any]:
    """Give the JSON object of an answer; an empty one if it has none."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def error(answer: requests.Response) -> dict[str, Any]:
    """Give the error in OpenStack's form; empty if the answer has none."""
    found = document(answer).get("error")
    return found if isinstance(found, dict) else {}
