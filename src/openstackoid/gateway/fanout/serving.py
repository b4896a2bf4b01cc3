"""Requests whose scope means several clouds: from a call to a plan, and from a plan to calls of one cloud each."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias

from aiohttp import web

from openstackoid.core.plans import All, Alternatives, Known, One, Reject, Target, plan
from openstackoid.core.routing import Facts
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.fanout.admission import Admission
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.fanout.documents import send
from openstackoid.gateway.fanout.folding import Fold
from openstackoid.gateway.fanout.reads import FanOut, Read
from openstackoid.gateway.fanout.spooling import Room
from openstackoid.gateway.fanout.wishes import Wishes
from openstackoid.gateway.federation.memory import digest
from openstackoid.gateway.settings.sections import Fanout
from openstackoid.gateway.telemetry import metrics

# Conditions and ranges that a client took from one cloud's answer do not apply to a merged answer.
_OF_ONE_ANSWER: Final = ("If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range")

_COUNTED: Final = 64  # clouds that are counted in one turn of the event loop

# Sends a call to the one cloud of its scope, and buffers the answer; or relays it to the client.
AskCall: TypeAlias = Callable[[Call], Awaitable[web.Response]]
PassOnCall: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]


class Several:
    """Serves requests whose scope means several clouds.

    Args:
        settings: bounds.
        known: the clouds that are known now.

    Attributes:
        admission: bounds how many requests to several clouds run at a time; of changes too.
    """

    def __init__(self, settings: Fanout, known: Callable[[], Known]) -> None:
        self._settings = settings
        self._known = known
        self.admission: Final = Admission(settings.running, min(settings.running, settings.running_per_user))
        room = Room(settings.memory, settings.disk, settings.directory)
        self._reads = FanOut(settings.at_once, self.admission, room)

    def plan(self, call: Call) -> One | All | Alternatives:
        """The plan of a call: the clouds to ask, and how.

        Raises:
            RoutingError: the scope means no cloud, or clouds that it may not mean.
        """
        planned = plan(Facts(call.service, call.method, call.path, call.hops), call.scope, self._known())
        if isinstance(planned, Reject):
            raise planned.error
        return planned

    async def read(
        self, call: Call, found: All | Alternatives, ask: AskCall, pass_on: PassOnCall, fold: Fold | None = None
    ) -> web.StreamResponse:
        """Serve a read.

        Args:
            call: a GET request.
            found: the plan.
            ask: sends a call to one cloud, and buffers the answer.
            pass_on: sends a call to one cloud, and relays the answer to the client.
            fold: leaves further members of replicas out of a list by name; None if there are no replicas.

        Raises:
            OpenStackoidError: the read is refused, or no cloud answered it.
        """
        known = self._known()
        path, _, query = call.route.path.partition("?")
        wishes = Wishes.of(call.request.headers, self._settings.timeout)
        deadline = asyncio.get_running_loop().time() + wishes.timeout
        read = Read(
            call.service,
            path,
            query,
            _base(call),
            call.scope,
            user_of(call),
            known.entry,
            wishes,
            deadline,
            fold,
        )

        headers = call.headers.copy()
        for name in _OF_ONE_ANSWER:
            headers.popall(name, None)
        headers["Accept-Encoding"] = "identity"
        asked = replace(call, headers=headers, deadline=deadline)  # of each cloud

        async def question(target: Target, inner: str) -> Reply:
            response = await ask(to_target(asked, target, inner))
            body = response.body
            return Reply(response.status, response.headers, body if isinstance(body, bytes) else b"")

        served = await self._reads.read(read, found, question, lambda target: pass_on(to_owner(call, target)))
        for number, leg in enumerate(served.legs, 1):
            metrics.leg(call.service, leg.cloud, leg.reply.status if leg.reply else None, leg.code)
            if not number % _COUNTED:
                await asyncio.sleep(0)  # other requests' turn
        if served.document is not None and isinstance(served.response, web.Response):
            return await send(call, served.response, served.document)
        return served.response


def to_target(call: Call, target: Target, path: str | None = None) -> Call:
    """The same call for one cloud of a plan, for another path and query if they are given.

    Its scope has no operators, and HAProxy is not taught the decision.
    """
    route = call.route if path is None else replace(call.route, path=path)
    return replace(call, route=route, scope=target.scope, caller_scope=target.scope, scope_text=None, teaches=False)


def to_owner(call: Call, target: Target) -> Call:
    """The same, for the one cloud that has what the call is about: the answer names it, also one that is streamed."""
    return replace(to_target(call, target), names_cloud=True)


def user_of(call: Call) -> bytes:
    """Whose places a request takes: a digest of its token."""
    return digest(call.auth or "")


def _base(call: Call) -> str:
    """Base URL of the service as the client calls it."""
    url = call.listener.cloud.services[call.service]
    saved = call.route.saved_scope
    return call.listener.frontends.scoped(saved).get(url, url) if saved else url
