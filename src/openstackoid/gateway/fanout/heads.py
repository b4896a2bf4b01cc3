"""HEAD under a scope that means several clouds: the answer to GET, without its body.

Services answer HEAD for few paths (swift, and images in part), so the clouds are asked with GET. Image data and objects are the exception: the
one cloud that has them gets the request as it came.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core.user_data import is_download
from openstackoid.gateway.entry.bodies import made
from openstackoid.gateway.entry.calls import Call

Relay: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]


def as_get(call: Call, ask: Callable[[Call], Awaitable[web.Response]], pass_on: Relay) -> tuple[Call, Relay]:
    """A HEAD request as GET, and what takes the place of `pass_on` for it. The server leaves out the body of what both return.

    Args:
        call: the request.
        ask: sends a call to one cloud, and reads the whole answer.
        pass_on: sends a call to one cloud, and relays the answer to the client.
    """

    async def relay(one: Call) -> web.StreamResponse:
        if is_download(one.service, one.path):
            return await pass_on(replace(one, request=call.request))
        return await ask(one)

    return replace(call, request=made("GET", CIMultiDict(call.request.headers), None)), relay
