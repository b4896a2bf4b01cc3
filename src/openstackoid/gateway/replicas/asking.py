"""Requests of the gateway's own to one cloud, on behalf of a user whose request means several clouds."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, cast

from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core.plans import Target
from openstackoid.gateway.entry.bodies import made
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.fanout.serving import to_target
from openstackoid.gateway.replicas.tee import Branch, Streamed
from openstackoid.gateway.upstream.answers import Answer

JSON: Final = "application/json"
# Headers of the user's request that are about its body, or about one cloud's answer.
_OF_ONE: Final = (
    *("Content-Type", "Content-Length", "Content-Encoding", "Accept-Encoding", "Idempotency-Key"),
    *("If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"),
)
# Sends a call to the one cloud of its scope, and reads the whole answer.
AskCall: TypeAlias = Callable[[Call], Awaitable[web.Response]]
# The same; the body of the answer is not read yet.
OpenCall: TypeAlias = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks clouds on behalf of one user.

    Attributes:
        call: the user's request; its token, scope and headers count.
        ask: sends a call.
        begin: sends a call, and leaves the body of the answer unread.
    """

    call: Call
    ask: AskCall
    begin: OpenCall | None = None

    async def send(
        self,
        target: Target,
        method: str,
        path: str,
        document: Any = None,
        *,
        service: str | None = None,
        content_type: str = JSON,
    ) -> Reply:
        """Send one request.

        Args:
            target: the cloud.
            method: HTTP method.
            path: path and query inside the service.
            document: JSON of the body; None for no body.
            service: official service type; the call's own if not given.
            content_type: of the body.

        Raises:
            OpenStackoidError: no answer came, or one that may not be passed on; its `received` says whether the cloud may have got the request.
        """
        headers = self._headers()
        body = None if document is None else json.dumps(document).encode()
        if body is not None:
            headers["Content-Type"] = content_type
            headers["Content-Length"] = str(len(body))
        one = to_target(self.call, target)
        route = replace(one.route, service=service or one.route.service, path=path)
        response = await self.ask(replace(one, request=made(method, headers, body), route=route, headers=headers))
        data = response.body
        return Reply(response.status, response.headers, data if isinstance(data, bytes) else b"")

    async def open(self, target: Target, path: str) -> Answer:
        """Send a GET to an image service; the owner of the answer reads its body, or closes it.

        Raises:
            OpenStackoidError: as `send`.
        """
        if self.begin is None:
            raise NotImplementedError
        headers = self._headers()
        one = to_target(self.call, target)
        route = replace(one.route, service="image", path=path)
        return await self.begin(replace(one, request=made("GET", headers, None), route=route, headers=headers))

    async def put(self, target: Target, path: str, content: Streamed) -> Reply:
        """Send a PUT to an image service, with a body that comes piece by piece.

        Raises:
            OpenStackoidError: as `send`.
        """
        one = to_target(self.call, target)
        route = replace(one.route, service="image", path=path)
        request = cast("web.BaseRequest", content)
        headers = CIMultiDict(content.headers)
        response = await self.ask(replace(one, request=request, route=route, headers=headers))
        data = response.body
        return Reply(response.status, response.headers, data if isinstance(data, bytes) else b"")

    def streamed(self, length: int, content: Branch) -> Streamed:
        """A PUT of image data, for `put`."""
        headers = self._headers()
        headers["Content-Type"] = "application/octet-stream"
        headers["Content-Length"] = str(length)
        return Streamed("PUT", headers, length, content)

    def _headers(self) -> CIMultiDict[str]:
        headers: CIMultiDict[str] = self.call.headers.copy()
        for name in _OF_ONE:
            headers.popall(name, None)
        headers["Accept-Encoding"] = "identity"
        return headers

    async def validate(self, target: Target, token: str) -> Reply:
        """Ask a cloud's Keystone about the call's own token: it validates itself."""
        headers: CIMultiDict[str] = CIMultiDict({"Accept": JSON, "Accept-Encoding": "identity"})
        one = to_target(self.call, target)
        route = replace(one.route, service="identity", path="/v3/auth/tokens")
        call = replace(one, request=made("GET", headers, None), route=route, headers=headers, auth=token, subject=token)
        response = await self.ask(call)
        data = response.body
        return Reply(response.status, response.headers, data if isinstance(data, bytes) else b"")


def parsed(reply: Reply) -> Any:
    """The JSON of an answer; None if it is none."""
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def reason(reply: Reply, cloud: str) -> str:
    """Why a cloud refused, for people: its own words, shortened.

    Services write `{"itemNotFound": {"message": ...}}`, or `{"message": ...}`, alone or beside other fields.
    """
    document = parsed(reply)
    fields = document if isinstance(document, dict) else {}
    inner = next(iter(fields.values())) if len(fields) == 1 else None
    message = inner.get("message") if isinstance(inner, dict) else fields.get("message")
    text = f": {message[:200]}" if isinstance(message, str) and message.isprintable() else ""
    return f"{cloud} answered {reply.status}{text}"
