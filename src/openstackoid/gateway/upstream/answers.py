"""An upstream's answer: its head, checked and filtered, and its body, not read yet."""

import re
from typing import Final, TypeAlias

import aiohttp
from multidict import CIMultiDict

from openstackoid.core import limits
from openstackoid.core.errors import PeerAnswerError
from openstackoid.core.foreign_links import IncomingLinks
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.upstream import crossing
from openstackoid.gateway.upstream.failures import reason
from openstackoid.gateway.upstream.legs import Border, Leg
from openstackoid.gateway.upstream.received import Received
from openstackoid.gateway.upstream.rewriting import SMALL, Held

Response: TypeAlias = aiohttp.ClientResponse | Received
WHOLE: Final = 1 << 16  # bytes: bodies up to this are passed on in one piece
_LOCATIONS: Final = ("Location", "Content-Location")
# Headers with URLs among other text: of Keystone, of the next page.
_WITH_URLS: Final = ("WWW-Authenticate", "Link")
_URL: Final = re.compile(r"https?://[^\s\"'<>,;]+")


class Answer:
    """One cloud's answer to a leg. The owner of the object reads the body to its end, or closes it.

    Args:
        leg: the request as it was sent.
        response: with its head read.

    Attributes:
        status: as it arrived.
        phrase: the reason phrase; None for another owner's answer, whose phrase is untrusted.
        headers: those that may be passed on, with links and ids of this cloud's users.

    Raises:
        OpenStackoidError: another owner's answer may not be passed on.
    """

    def __init__(self, leg: Leg, response: Response) -> None:
        self.leg = leg
        self.response = response
        self.status = response.status
        self.phrase = response.reason if leg.border is not Border.IN else None
        self.headers: CIMultiDict[str] = _headers(leg, response)
        self._begun = b""

    @property
    def length(self) -> int | None:
        """Bytes of the body, if Content-Length announced them."""
        return self.response.content_length

    async def begin(self, enough: int) -> bytes:
        """Read the first piece of a body, to detect its type; the bytes stay part of the body.

        Args:
            enough: bytes after which nothing more is read.

        Raises:
            OpenStackoidError: the upstream breaks off.
        """
        while piece := await self._next():
            self._begun += piece
            if crossing.begins(self._begun) or len(self._begun) > enough:
                break
        return self._begun

    async def read(self, held: Held | None = None) -> bytes:
        """The whole body.

        Args:
            held: the memory budget for large documents.

        Raises:
            OpenStackoidError: the upstream breaks off, sends too much, or there is no room.
        """
        content = self.response.content
        if not self._begun and content.is_eof():
            return content.read_nowait()  # a small body arrived with its head
        pieces, size = [self._begun], len(self._begun)
        while piece := await self._next():
            pieces.append(piece)
            size += len(piece)
            if size > limits.ANSWER.size:
                raise PeerAnswerError(
                    f"{self.leg.upstream.name} answered with a document of more than {limits.size(limits.ANSWER.size)}. "
                    "Ask for less, with a limit."
                )
            if held is not None and size > SMALL:
                held.grow(len(piece))
        return b"".join(pieces)

    async def piece(self) -> bytes:
        """The next piece of the body as it comes; empty at its end.

        Raises:
            aiohttp.ClientError, TimeoutError, OSError: the upstream breaks off.
        """
        if self._begun:
            begun, self._begun = self._begun, b""
            return begun
        return await self.response.content.readany()

    def release(self) -> None:
        """Release the connection: the body was read to its end."""
        self.response.release()

    def close(self) -> None:
        """Close the connection, without reading the rest of the body."""
        self.response.close()

    async def _next(self) -> bytes:
        upstream = self.leg.upstream
        try:
            return await self.response.content.readany()
        except TimeoutError:
            raise upstream.timeout(f"{upstream.name} did not finish its answer in time.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise upstream.unreachable(f"{upstream.name} broke off its answer: {reason(error)}.") from None


def _headers(leg: Leg, response: Response) -> CIMultiDict[str]:
    kept = hdrs.outgoing(response.headers)
    ids, links = leg.rewrite.response_ids, leg.links
    if ids:
        for name in _LOCATIONS:
            if name in kept:
                kept[name] = ids.url(kept[name])
    if isinstance(links, IncomingLinks):
        crossing.check_head(response.status, kept, links, by_service=leg.by_service)
        return kept
    if leg.border is Border.OUT:
        crossing.keep_only(kept)
    for name in _LOCATIONS:
        if name in kept:
            kept[name] = links.url(kept[name])
    for name in _WITH_URLS:
        if name in kept:
            values = kept.popall(name)
            kept.extend((name, _URL.sub(lambda url: links.url(url[0]), value)) for value in values)
    return kept
