"""One request in, one answer out: version, caller, policy, body, handler; every refusal in OpenStack's JSON form."""

import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import microversion_parse
from aiohttp import web

from openstackoid.core.errors import BadRequestError, OpenStackoidError
from openstackoid.core.protocol import ASSERTION
from openstackoid.regions import openapi
from openstackoid.regions.control import Control
from openstackoid.regions.errors import (
    MethodError,
    NoSuchPathError,
    PolicyError,
    RegionsError,
    TooLargeError,
    UnauthenticatedError,
    VersionError,
)
from openstackoid.regions.handlers import root
from openstackoid.regions.handlers.call import NOBODY, Call
from openstackoid.regions.handlers.routes import Route
from openstackoid.regions.identity import Operator
from openstackoid.regions.schemas.common import check
from openstackoid.trust.signatures import read_object

_LOG: Final = logging.getLogger(__name__)
LARGEST: Final = 1 << 20  # bytes of a request's body
_VERSION: Final = "OpenStack-API-Version"
_DOCUMENT: Final = "/v1/openapi.json"


class App:
    """The server at one address.

    Args:
        control: the control plane that handlers use.
        routes: the paths.
        keystone: URL in the challenge to a client without a token; None at the peering address.
    """

    def __init__(self, control: Control, routes: tuple[Route, ...], keystone: str | None) -> None:
        self._control = control
        self._keystone = keystone
        self._routes = [(route.path.split("/"), route) for route in routes]
        self._document = openapi.document(routes) if keystone else None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        headers = {"x-openstack-request-id": f"req-{secrets.token_hex(16)}", "Vary": _VERSION}
        try:
            if request.path == _DOCUMENT and self._document is not None and request.method == "GET":
                return web.json_response(self._document, headers=headers)
            route, variables = self._find(request.method, request.raw_path.partition("?")[0])
            if self._keystone is not None:
                headers[_VERSION] = f"{root.SERVICE_TYPE} {root.text(_version(request.headers))}"
            operator = await self._operator(route, request)
            body = await _body(route, request)
            call = Call(
                self._control,
                _url(request),
                variables,
                dict(request.query),
                body,
                operator,
                request.headers.get(ASSERTION),
            )
            answer = await route.handler(call)
        except OpenStackoidError as error:
            return self._refused(error, headers)
        except Exception as error:  # noqa: BLE001 - whatever a handler does, the caller gets an answer
            # Without the error's message, which may quote the request.
            _LOG.error("openstackoid regions: %s at %s", type(error).__name__, request.method)
            return self._refused(RegionsError("The control plane failed."), headers)
        return web.json_response(answer, status=route.status, headers=headers)

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        parts = [unquote(part) for part in (path.rstrip("/") or "/").split("/")]
        matching = [(route, _variables(pattern, parts)) for pattern, route in self._routes]
        matches = {route.method: (route, variables) for route, variables in matching if variables is not None}
        if not matches:
            raise NoSuchPathError("Nothing at this path: see /v1/openapi.json.")
        if method not in matches:
            raise MethodError(f"Expected {' or '.join(sorted(matches))}, got {method[:16]}.")
        return matches[method]

    async def _operator(self, route: Route, request: web.BaseRequest) -> Operator:
        if route.policy is None:
            return NOBODY
        tokens = request.headers.getall("X-Auth-Token", [])
        if len(tokens) > 1:
            raise BadRequestError("Expected one X-Auth-Token header.")
        operator = await self._control.keystone.operator(tokens[0] if tokens else None)
        if not self._control.policies.allows(route.policy, operator.credentials):
            raise PolicyError(f"The policy {route.policy} does not allow this to you.")
        return operator

    def _refused(self, error: OpenStackoidError, headers: Mapping[str, str]) -> web.Response:
        extra = {}
        if isinstance(error, UnauthenticatedError) and self._keystone:
            extra["WWW-Authenticate"] = f'Keystone uri="{self._keystone}"'
        return web.json_response(error.body(), status=error.status, headers={**headers, **extra})


def _variables(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    """The variables of a path, or None if it is another one."""
    if len(pattern) != len(parts):
        return None
    variables = {}
    for expected, came in zip(pattern, parts, strict=True):
        if expected.startswith("{"):
            if not came:
                return None
            variables[expected.strip("{}")] = came
        elif expected != came:
            return None
    return variables


def _version(headers: Mapping[str, str]) -> tuple[int, int]:
    """The microversion that a client asks for.

    Raises:
        VersionError: the version is not served.
        BadRequestError: the header is not a microversion.
    """
    asked = microversion_parse.get_version(dict(headers), service_type=root.SERVICE_TYPE)
    if asked is None:
        return root.MINIMUM
    if asked == "latest":
        return root.MAXIMUM
    try:
        parsed = microversion_parse.parse_version_string(asked)
    except (TypeError, ValueError):
        raise BadRequestError(f"Expected {_VERSION}: {root.SERVICE_TYPE} 1.0, or latest.") from None
    version = (int(parsed.major), int(parsed.minor))
    if not root.MINIMUM <= version <= root.MAXIMUM:
        raise VersionError(
            f"Expected a version from {root.text(root.MINIMUM)} to {root.text(root.MAXIMUM)}, got {asked[:16]}."
        )
    return version


async def _body(route: Route, request: web.BaseRequest) -> dict[str, Any]:
    if route.body is None:
        return {}
    if (request.content_length or 0) > LARGEST:
        raise TooLargeError(f"Expected {LARGEST >> 20} MiB at most.")
    text = bytearray()
    async for chunk in request.content.iter_chunked(1 << 16):
        text += chunk
        if len(text) > LARGEST:
            raise TooLargeError(f"Expected {LARGEST >> 20} MiB at most.")
    try:
        body = read_object(bytes(text))
    except (ValueError, UnicodeDecodeError) as error:
        raise BadRequestError(f"Expected a JSON object: {str(error)[:100]}.") from None
    check(body, route.body)
    return body


def _url(request: web.BaseRequest) -> str:
    """The base URL that the client called: frontends keep the Host header, and send their scheme."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    return f"{'https' if scheme == 'https' else 'http'}://{request.host}"
