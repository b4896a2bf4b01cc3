"""The transport of requests: a requests adapter that asks an oaktree, and answers as a cloud would."""

import io
import json
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import grpc
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from oaktree.client import Oaktree
from oaktree.everywhere import CloudsFailedError, CloudsFailedWarning
from oaktree.openstacksdk import answers
from oaktree.openstacksdk.routes import Routes, Target
from oaktree.v1 import cloud_pb2, resource_pb2
from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import Kind

# requests encodes queries only for schemes that begin with "http".
SCHEME: Final = "http+oaktree"
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


def encoded(region: str) -> str:
    """A region's name as one part of a path, without percent signs: keystoneauth formats endpoints with `%`."""
    return quote(region, safe="").replace("%", "=") or "*"


def decoded(part: str) -> str:
    """The region's name in a part of a path."""
    return "" if part == "*" else unquote(part.replace("=", "%"))


class Transport(BaseAdapter):
    """Sends requests to an oaktree; one connection for all."""

    def __init__(self, connect: Callable[[], Oaktree], failures: str) -> None:
        """Prepare.

        Args:
            connect: connects to the oaktree.
            failures: "raise" or "warn", as in `oaktree.everywhere`.
        """
        super().__init__()
        self.routes: Final = Routes(self._kinds)
        self._connect: Final = connect
        self._failures: Final = failures
        self._lock: Final = threading.Lock()
        self._opened: Oaktree | None = None
        self._http: Final = HTTPAdapter()  # makes responses

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - requests' signature
        timeout: Any = None,
        verify: Any = True,  # noqa: ARG002 - requests' signature
        cert: Any = None,  # noqa: ARG002 - requests' signature
        proxies: Any = None,  # noqa: ARG002 - requests' signature
    ) -> requests.Response:
        """Answer a request."""
        seconds = timeout[1] if isinstance(timeout, tuple) else timeout
        try:
            status, document = self._answer(request, seconds)
        except grpc.RpcError as error:
            status, document = answers.of_error(error)
        except CloudsFailedError as error:
            status, document = answers.refusal(502, str(error))  # openstacksdk repeats requests after 503
        body = b"" if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        raw = HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)
        return self._http.build_response(request, raw)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _oaktree(self) -> Oaktree:
        with self._lock:
            if self._opened is None:
                self._opened = self._connect()
            return self._opened

    def _kinds(self, service: str) -> Iterable[Kind]:
        try:
            return self._oaktree().resources.ListKinds(resource_pb2.ListKindsRequest(kind=service)).kinds
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                return []
            raise requests.ConnectionError(answers.text(error)) from error

    def _answer(self, request: requests.PreparedRequest, timeout: float | None) -> tuple[int, Any]:
        url = urlsplit(request.url or "")
        _, place, service, _, path = (*url.path.split("/", 4), "")[:5]
        method = request.method or ""
        # Whether one resource is read or a collection is known when the path is.
        verb = _VERBS.get(method, "list")
        target = self.routes.find(service, f"/{path}", verb)
        supported = method in ("GET", *_VERBS) and target is not None and (method == "POST") is not bool(target.id)
        if method == "GET":
            supported = target is not None
        if target is None or not supported:
            return answers.refusal(
                501,
                f"{method} /{path} of {service} does not go through oaktree: use an entry of clouds.yaml for the cloud itself",
            )
        location = answers.location(decoded(place))
        ask = getattr(self, f"_{'get' if method == 'GET' and target.id else verb}")
        body = json.loads(request.body) if isinstance(request.body, str | bytes) else {}
        found: tuple[int, Any] = ask(target, location, url.query, body, timeout)
        return found

    def _list(
        self, target: Target, location: Location | None, query: str, _: Any, timeout: float | None
    ) -> tuple[int, Any]:
        asked = dict(parse_qsl(query, keep_blank_values=True))
        key = target.route.cls.resources_key
        items: list[Any] = []
        if "marker" not in asked:  # the first answer has all items
            asked.pop("limit", None)
            resources = self._oaktree().everywhere.resources(
                kind=target.route.kind,
                locations=[location] if location else [],
                filters=answers.filters(target.route.cls, asked),
                parents=target.parents,
                failures="raise",
                timeout=timeout,
            )
            try:
                items.extend(map(answers.document, resources))
            except CloudsFailedError as error:
                if self._failures == "raise" or not error.failures:
                    raise
                warnings.warn(str(error), CloudsFailedWarning, stacklevel=2)
        return 200, answers.wrapped(key, items)

    def _get(
        self, target: Target, location: Location | None, _query: str, _: Any, timeout: float | None
    ) -> tuple[int, Any]:
        request = resource_pb2.GetResourceRequest(
            location=location, kind=target.route.kind, id=target.id, parents=target.parents
        )
        found = self._oaktree().resources.GetResource(request, timeout=timeout)
        return 200, answers.wrapped(target.route.cls.resource_key, answers.document(found.resource))

    def _create(
        self, target: Target, location: Location | None, _: str, body: Any, timeout: float | None
    ) -> tuple[int, Any]:
        if location is None:
            return answers.refusal(
                400,
                "a create through openstacksdk makes one resource, and this connection reaches several clouds: name one of "
                'them, as in region_name="CLOUD" or "CLOUD/REGION"; the creates of oaktree\'s own API make one in each cloud',
            )
        there = (
            self._oaktree().clouds.ListClouds(cloud_pb2.ListCloudsRequest(locations=[location]), timeout=timeout).clouds
        )
        if len(there) != 1:
            places = ", ".join(f"{each.location.cloud}/{each.location.region}" for each in there)
            return answers.refusal(400, f"expected a region_name of one cloud-region, and it means {places or 'none'}")
        resource = resource_pb2.Resource(kind=target.route.kind)
        resource.attributes.update({**target.parents, **answers.unwrapped(target.route.cls.resource_key, body)})
        request = resource_pb2.CreateResourceRequest(locations=[location], resource=resource)
        made: list[resource_pb2.Resource] = []
        results: list[Any] = []
        for answer in self._oaktree().resources.CreateResource(request, timeout=timeout):
            if answer.HasField("resource"):
                made.append(answer.resource)
            if answer.HasField("summary"):
                results.extend(answer.summary.results)
        for result in results:
            if result.HasField("error"):
                return answers.of_status(result.error)
        if not made:
            return answers.refusal(
                500, "oaktree ended the create without an answer: look in the cloud before you try again"
            )
        return 201, answers.wrapped(target.route.cls.resource_key, answers.document(made[0]))

    def _update(
        self, target: Target, location: Location | None, _: str, body: Any, timeout: float | None
    ) -> tuple[int, Any]:
        if not isinstance(body, Mapping):
            return answers.refusal(501, f"a JSON patch of {target.route.kind} does not go through oaktree")
        resource = resource_pb2.Resource(kind=target.route.kind)
        resource.attributes.update(answers.unwrapped(target.route.cls.resource_key, body))
        request = resource_pb2.UpdateResourceRequest(
            location=location, id=target.id, resource=resource, parents=target.parents
        )
        found = self._oaktree().resources.UpdateResource(request, timeout=timeout)
        return 200, answers.wrapped(target.route.cls.resource_key, answers.document(found.resource))

    def _delete(
        self, target: Target, location: Location | None, _query: str, _: Any, timeout: float | None
    ) -> tuple[int, Any]:
        request = resource_pb2.DeleteResourceRequest(
            location=location, kind=target.route.kind, id=target.id, parents=target.parents
        )
        self._oaktree().resources.DeleteResource(request, timeout=timeout)
        return 204, None
