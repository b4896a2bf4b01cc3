"""A cloud's own API, for features that oaktree lacks: a requests.Session with the API's URL and a token."""

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
    """The type of objects that `oaktree.client.connect` returns."""

    @property
    def channel(self) -> grpc.Channel:
        """The channel for calls."""


# Tokens are renewed this long before they expire, to allow for clock differences and slow requests.
_MARGIN: Final = timedelta(minutes=1)
# Headers that may contain secrets for one host only.
_SECRET_HEADERS: Final = ("Authorization", "Cookie", "X-Auth-Token", "X-Service-Token", "X-Subject-Token")
_PORTS: Final = {"http": 80, "https": 443}


def rest_session(channel: HasChannel | grpc.Channel, location: Location, service: str) -> requests.Session:
    """Make a session for a cloud's own API: paths are relative to its root, and every request has a valid token.

    The token is sent only to the API's own scheme, host and port: a redirect to another host does not get it.

    Args:
        channel: a client of the oaktree that has the cloud.
        location: one cloud-region.
        service: the service type: "compute", "image".

    Returns:
        A session, for example for `session.get("servers/detail")`. Its requests raise ValueError for URLs of other hosts, and grpc.RpcError
        if the oaktree refuses to give the endpoint and token.
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
        """Called for each redirect: remove secrets unless it stays at the same origin."""
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
