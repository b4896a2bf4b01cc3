"""A cloud's own API, for what oaktree lacks: a requests.Session that knows where it is and has the token."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit

import grpc
import requests

from oaktree.v1 import cloud_pb2_grpc
from oaktree.v1.cloud_pb2 import GetRestInfoRequest, GetRestInfoResponse
from oaktree.v1.location_pb2 import Location


class HasChannel(Protocol):
    """What `oaktree.client.connect` gives."""

    @property
    def channel(self) -> grpc.Channel:
        """Where calls go."""


# Tokens are renewed so long before they end, for clocks that differ and requests that take time.
_MARGIN: Final = timedelta(minutes=1)
# What a caller's own header may hold that is for one host only.
_SECRET_HEADERS: Final = ("Authorization", "Cookie", "X-Auth-Token", "X-Service-Token", "X-Subject-Token")
_PORTS: Final = {"http": 80, "https": 443}


def rest_session(channel: HasChannel | grpc.Channel, location: Location, service: str) -> requests.Session:
    """A session for a cloud's own API: paths are below its root, and every request has a token that has not ended.

    The token goes to the API's own scheme, host and port only: where a redirect leads elsewhere, it stays behind.

    Args:
        channel: to the oaktree that knows the cloud.
        location: one cloud-region.
        service: the service type: "compute", "image".

    Returns:
        As in `session.get("servers/detail")`. Its requests raise ValueError for URLs of other hosts, and grpc.RpcError if the oaktree
        refuses to tell.
    """
    clouds = cloud_pb2_grpc.CloudServiceStub(channel if isinstance(channel, grpc.Channel) else channel.channel)
    return _RestSession(clouds, GetRestInfoRequest(location=location, service=service))


class _RestSession(requests.Session):
    def __init__(self, clouds: "cloud_pb2_grpc.CloudServiceStub", request: GetRestInfoRequest) -> None:
        super().__init__()
        self._clouds = clouds
        self._request = request
        self._lock = threading.Lock()
        self._info: GetRestInfoResponse | None = None

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Complete the URL, and add the headers."""
        info = self._current()
        url = str(request.url)
        if "://" not in url:
            request.url = f"{info.root_url.rstrip('/')}/{url.lstrip('/')}"
        elif _origin(url) != _origin(info.root_url):
            raise ValueError(f"expected a path below {info.root_url}, got a URL of another host")
        # Without this, requests would look for a password in the user's netrc.
        request.auth = request.auth or self.auth or _nothing
        prepared = super().prepare_request(request)
        for name, value in info.headers.items():
            prepared.headers.setdefault(name, value)
        return prepared

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called for each redirect: leave secrets behind unless it stays at the same origin."""
        if _origin(str(prepared_request.url)) != _origin(str(response.request.url)):
            secret = self._info.headers if self._info else ()
            for name in (*_SECRET_HEADERS, *secret):
                prepared_request.headers.pop(name, None)

    def _current(self) -> GetRestInfoResponse:
        with self._lock:
            if self._info is None or _is_ending(self._info):
                self._info = self._clouds.GetRestInfo(self._request)
            return self._info


def _is_ending(info: GetRestInfoResponse) -> bool:
    return info.HasField("expires_at") and info.expires_at.ToDatetime(tzinfo=UTC) - _MARGIN <= datetime.now(UTC)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _nothing(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared
