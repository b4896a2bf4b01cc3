"""The answer to a request that went around the client session (`reads`): what `answers` uses of an `aiohttp.ClientResponse`, and nothing else."""

from typing import Final

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage


class Received:
    """An answer with its head read. Its connection serves other requests as soon as the body arrived whole.

    Args:
        connection: on which the answer arrives.
        message: the head.
        content: the body as it arrives.

    Attributes:
        status, reason: as they arrived.
        headers, raw_headers: the same.
        content: the body.
    """

    __slots__ = ("_connection", "content", "headers", "raw_headers", "reason", "status")

    def __init__(self, connection: Connection, message: RawResponseMessage, content: aiohttp.StreamReader) -> None:
        self._connection: Final = connection
        self.status: Final = message.code
        self.reason: Final = message.reason
        self.headers: Final = message.headers
        self.raw_headers: Final = message.raw_headers
        self.content: Final = content
        content.on_eof(connection.release)

    @property
    def content_length(self) -> int | None:
        """Bytes of the body, if Content-Length announced them."""
        length = self.headers.get("Content-Length")
        return None if length is None else int(length)

    def release(self) -> None:
        """Give the connection back; it is closed if the body did not arrive whole."""
        self._connection.release()

    def close(self) -> None:
        """Close the connection, if it still belongs to this answer."""
        self._connection.close()
