"""A scope means something to a gateway alone, so no request with one goes to an address where no gateway answers.

A plain cloud ignores the header: `openstack server delete web --os-scope compute=CloudTwo` would delete its own `web`. The same where
clouds.yaml leads around the gateway (`compute_endpoint_override`). So the first request with a scope to an address (scheme, host, port)
is preceded by one that asks for `/.well-known/openstackoid`, which every gateway answers, whichever service is there.

It hooks in as a transport adapter of requests, under whatever sends: keystoneauth1 passes exceptions on that are not requests' own
(keystoneauth1/session.py, `_send_request`).
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from keystoneauth1.exceptions import ClientException
from requests.adapters import BaseAdapter

from openstackoid.core.protocol import SCOPE, WELL_KNOWN_PATH

_LONGEST: Final = 1 << 20  # bytes of an answer that are read
_SCHEMES: Final = ("http://", "https://")


class NoGatewayError(ClientException):
    """A request has a scope, and the address that it is for is no gateway's. Nothing of it was sent."""


class Guard(BaseAdapter):
    """Sends requests by another adapter, those with a scope to gateways only.

    Args:
        inner: what sends.
    """

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self._inner = inner
        self._gateways: set[str] = set()

    @classmethod
    def mount(cls, session: requests.Session) -> None:
        """Put a guard on a session, unless it has one."""
        for scheme in _SCHEMES:
            inner = session.get_adapter(scheme)
            if not isinstance(inner, cls):
                session.mount(scheme, cls(inner))

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request.

        Raises:
            NoGatewayError: it has a scope, and no gateway is there.
        """
        options: dict[str, Any] = {"timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
        parts = urlsplit(str(request.url))
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if SCOPE in request.headers and origin not in self._gateways:
            self._look(origin, options)
            self._gateways.add(origin)
        return self._inner.send(request, stream=stream, **options)

    def close(self) -> None:
        """Close the connections of the inner adapter."""
        self._inner.close()

    def _look(self, origin: str, options: Mapping[str, Any]) -> None:
        url = origin + WELL_KNOWN_PATH
        question = requests.Request("GET", url, headers={"Accept": "application/json"}).prepare()
        answer = self._inner.send(question, stream=True, **options)
        try:
            body = answer.raw.read(_LONGEST, decode_content=True)
        finally:
            answer.close()
        if not _of_gateway(answer.status_code, body):
            raise NoGatewayError(
                f"The request has a scope, and {origin} is no OpenStackoid gateway, so it was not sent: a plain cloud would ignore the "
                f"scope and act on its own resources. Expected a gateway's answer to GET {url}, got HTTP {answer.status_code}. Set "
                "auth_url, and *_endpoint_override in clouds.yaml, to addresses of a gateway, or leave out the scope."
            )


def _of_gateway(status: int, body: bytes) -> bool:
    """Whether a gateway answered: with what it serves; or, where HAProxy stands in front of one that is away, with an error of ours."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    if not isinstance(document, dict):
        return False
    error = document.get("error")
    return (status == requests.codes.ok and "cloud" in document and "services" in document) or (
        isinstance(error, dict) and "openstackoid_code" in error
    )
