"""Forward requests of other clouds' virtual-region control planes: the peering listener passes them unchanged to this cloud's control plane.

The requests carry no token: their bodies are signed, and the control plane verifies the signatures. The gateway only bounds their size and
filters their headers.
"""

from typing import Final

import aiohttp
from aiohttp import web

from openstackoid.core import errors
from openstackoid.core.protocol import (
    ASSERTION,
    MESSAGES_PATH,
    OFFERS_PATH,
    PROJECTS_PATH,
    RESOURCES_PATH,
    USAGE_PATH,
)
from openstackoid.gateway.api.endpoints import READS, WRITES, Audience, Endpoint, Question

_LARGEST_REQUEST: Final = 1 << 20  # bytes
_LARGEST_ANSWER: Final = 8 << 20


class ControlPlane:
    """This cloud's control plane, as its peers reach it.

    Args:
        session: for this cloud's own services.
        base: URL of the control plane's listener for peers.
    """

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    def endpoints(self) -> list[Endpoint]:
        """The paths that are passed on."""
        return [
            Endpoint(OFFERS_PATH, READS, Audience.PEERS, self._pass_on),
            *(
                Endpoint(path, WRITES, Audience.PEERS, self._pass_on)
                for path in (MESSAGES_PATH, PROJECTS_PATH, RESOURCES_PATH, USAGE_PATH)
            ),
        ]

    async def _pass_on(self, question: Question) -> web.Response:
        """Forward the request to the control plane, and return its answer.

        Raises:
            BodyError: a body that is too large.
            BackendUnreachableError, BackendTimeoutError: the control plane does not answer.
            PeerAnswerError: the control plane's answer is too large.
        """
        request = question.request
        body = await _bounded(request.content, _LARGEST_REQUEST)
        if body is None:
            raise errors.BodyError(f"Expected {_LARGEST_REQUEST >> 20} MiB at most for the control plane.")
        sent = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        assertion = request.headers.get(ASSERTION)
        if assertion is not None:
            sent[ASSERTION] = assertion
        try:
            async with self._session.request(
                request.method, self._base + request.path, data=body or None, headers=sent, allow_redirects=False
            ) as response:
                answer, status = await _bounded(response.content, _LARGEST_ANSWER), response.status
        except TimeoutError:
            raise errors.BackendTimeoutError("This cloud's control plane of virtual regions sends no answer.") from None
        except aiohttp.ClientError:
            raise errors.BackendUnreachableError("This cloud's control plane of virtual regions is away.") from None
        if answer is None:
            raise errors.PeerAnswerError(f"The control plane answered more than {_LARGEST_ANSWER >> 20} MiB.")
        return web.Response(status=status, body=answer, content_type="application/json")


async def _bounded(stream: aiohttp.StreamReader, most: int) -> bytes | None:
    """Read the whole stream; None if it is longer than the limit."""
    text = bytearray()
    async for chunk in stream.iter_chunked(1 << 16):
        text += chunk
        if len(text) > most:
            return None
    return bytes(text)
