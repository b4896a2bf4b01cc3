"""Connections that are used again, unless something came on them while they were idle."""

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector, which keeps connections.

    It takes what comes on an idle connection for the answer to the next request, which may be another user's. So such a connection is closed.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's name
    ) -> Connection:
        """A connection, idle or new. Raises as that of aiohttp."""
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not len(connection.protocol):
                return connection
            connection.close()
