"""The data of an image that is copied: read in its cloud, and checked on its way."""

import hashlib
import time
from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from openstackoid.core.errors import PeerAnswerError, PeerTimeoutError, PeerUnreachableError
from openstackoid.core.plans import Target
from openstackoid.core.replication.copying import Original
from openstackoid.core.scope import parse
from openstackoid.gateway.replicas.asking import Asker
from openstackoid.gateway.replicas.pace import Pace, Patience, too_slow
from openstackoid.gateway.upstream.answers import Answer
from openstackoid.gateway.upstream.failures import reason

_OK: Final = 200


class Data:
    """One read of an image's data.

    Args:
        original: the image.
        expected: its digest; empty if its cloud shows none.
        patience: how slow a cloud may be that sends data.

    Attributes:
        size: bytes that came.
        digest: of all of them, once they have come.
    """

    def __init__(self, original: Original, expected: str, patience: Patience) -> None:
        self.size = 0
        self.digest = ""
        self._original = original
        self._expected = expected
        self._patience = patience

    async def open(self, asker: Asker, scope: str) -> Answer:
        """Ask the original's cloud for the data.

        Args:
            asker: asks it on behalf of the user.
            scope: of the question, as text.

        Raises:
            OpenStackoidError: it does not answer with the data.
        """
        return await self._open(asker, Target(self._original.cloud, parse(scope)), self._original.id)

    async def is_at(self, asker: Asker, target: Target, image: str) -> bool:
        """Whether another cloud's image has this data: for clouds that use different hashes.

        Raises:
            OpenStackoidError: that cloud does not answer with data.
        """
        answer = await self._open(asker, target, image)
        try:
            async for _ in self.checked(answer):
                pass
        except PeerAnswerError:
            return False
        finally:
            answer.close()
        return True

    async def checked(self, answer: Answer) -> AsyncIterator[bytes]:
        """The pieces; the last one only if all of them together are what was expected.

        Raises:
            PeerAnswerError: they are not.
            PeerTimeoutError, PeerUnreachableError: they do not come, or too slowly (PeerSlowError).
        """
        name, hashing, held = answer.leg.upstream.name, hashlib.new(self._original.algorithm), b""
        self.size, pace = 0, Pace(self._patience)
        while True:
            began = time.monotonic()
            try:
                piece = await answer.piece()
            except TimeoutError:
                raise PeerTimeoutError(f"{name} did not send all data of the image in time.") from None
            except (aiohttp.ClientError, OSError) as error:
                raise PeerUnreachableError(f"{name} broke off the image's data: {reason(error)}.") from None
            if not piece:
                break
            if not pace.holds(time.monotonic() - began, len(piece)):
                raise too_slow(name, "sends", self._patience)
            hashing.update(piece)
            self.size += len(piece)
            if self.size > self._original.size:
                break
            if held:
                yield held
            held = piece
        self.digest = hashing.hexdigest()
        if self.size != self._original.size or self._expected not in {"", self.digest}:
            raise PeerAnswerError(f"{name} sent data that has not the size and the checksum that it shows.")
        yield held

    async def _open(self, asker: Asker, target: Target, image: str) -> Answer:
        answer = await asker.open(target, f"/v2/images/{image}/file")
        if answer.status != _OK:
            answer.close()
            raise PeerAnswerError(f"{target.cloud} answered {answer.status} to a read of the image's data.")
        return answer
