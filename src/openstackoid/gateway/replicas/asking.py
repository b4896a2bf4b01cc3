"""Requests of the gateway's own to one cloud, on behalf of a user whose request means several clouds."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core.plans import Target
from openstackoid.gateway.entry.bodies import made
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.fanout.serving import to_target

JSON: Final = "application/json"
# Headers of the user's request that are about its body, or about one cloud's answer.
_OF_ONE: Final = (
    *("Content-Type", "Content-Length", "Content-Encoding", "Accept-Encoding", "Idempotency-Key"),
    *("If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"),
)
# Sends a call to the one cloud of its scope, and reads the whole answer.
AskCall: TypeAlias = Callable[[Call], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks clouds on behalf of one user.

    Attributes:
        call: the user's request; its token, scope and headers count.
        ask: sends a call.
    """

    call: Call
    ask: AskCall

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
        headers: CIMultiDict[str] = self.call.headers.copy()
        for name in _OF_ONE:
            headers.popall(name, None)
        headers["Accept-Encoding"] = "identity"
        body = None if document is None else json.dumps(document).encode()
        if body is not None:
            headers["Content-Type"] = content_type
            headers["Content-Length"] = str(len(body))
        one = to_target(self.call, target)
        route = replace(one.route, service=service or one.route.service, path=path)
        response = await self.ask(replace(one, request=made(method, headers, body), route=route, headers=headers))
        data = response.body
        return Reply(response.status, response.headers, data if isinstance(data, bytes) else b"")

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
    """Why a cloud refused, for people: its own words, shortened."""
    document = parsed(reply)
    inner = next(iter(document.values()), None) if isinstance(document, dict) and len(document) == 1 else document
    message = inner.get("message") if isinstance(inner, dict) else None
    text = f": {message[:200]}" if isinstance(message, str) and message.isprintable() else ""
    return f"{cloud} answered {reply.status}{text}"
