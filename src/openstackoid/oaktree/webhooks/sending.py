"""Sends notices of ended operations to the configured webhooks, again and again with growing pauses until one is accepted (status 2xx).

Only addresses of the configuration are called, never one that a caller gave, and no redirect is followed: a caller cannot make the server ask anybody.
"""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from google.protobuf import json_format

from openstackoid.oaktree.creates.operations import Operations
from openstackoid.oaktree.creates.outbox import Notice, Outbox
from openstackoid.oaktree.creates.outcomes import message_of
from openstackoid.oaktree.creates.records import Operation
from openstackoid.oaktree.webhooks import signing

_LOG: Final = logging.getLogger(__name__)
_AT_ONCE: Final = 16
_TIMEOUT: Final = 15.0  # seconds for one attempt
_LONGEST: Final = 600.0  # seconds between two attempts
_ATTEMPTS: Final = 150  # about a day
_CLEANING: Final = 3600.0  # seconds


@dataclass(frozen=True)
class Webhook:
    """An address that is told of ended operations.

    Attributes:
        name: its name in the configuration.
        url: the address.
        key: signs what is sent.
        callers: whose operations; empty for everybody's.
        context: for TLS; None for the system's authorities.
    """

    name: str
    url: str = field(repr=False)
    key: bytes = field(repr=False)
    callers: frozenset[str] = frozenset()
    context: ssl.SSLContext | None = None


def names_for(webhooks: Sequence[Webhook], caller: str) -> list[str]:
    """The webhooks that are told of a caller's operations."""
    return [webhook.name for webhook in webhooks if not webhook.callers or caller in webhook.callers]


def pause(attempts: int) -> float:
    """Seconds until the next attempt, after so many."""
    return min(2.0 ** min(attempts, 16), _LONGEST)


def body_of(operation: Operation) -> bytes:
    """What a webhook is told: the operation as GetOperation answers with it, and whose it is."""
    document = {
        # An interrupted one has an open outcome: its caller's GetOperation determines it.
        "type": "operation.done" if operation.done else "operation.interrupted",
        "data": {
            "caller": operation.caller,
            "operation": json_format.MessageToDict(message_of(operation), preserving_proto_field_name=True),
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


class Deliveries:
    """The sender of a worker. Call `start`, and `stop` at the end."""

    def __init__(self, records: Operations, webhooks: Sequence[Webhook], *, poll: float = 1.0) -> None:
        """Prepare; sends nothing yet.

        Args:
            records: the operations.
            webhooks: all that are configured.
            poll: seconds between two looks into the outbox.
        """
        self._records: Final = records
        self._outbox: Final[Outbox] = records.outbox
        self._webhooks: Final[Mapping[str, Webhook]] = {webhook.name: webhook for webhook in webhooks}
        self._poll: Final = poll
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless there are no webhooks."""
        if self._webhooks:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what was not accepted stays in the outbox."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        cleaned = searched = float("-inf")
        # No cookies, no proxies, and no credentials of a netrc file.
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT), cookie_jar=aiohttp.DummyCookieJar()
        ) as http:
            while True:
                try:
                    if time.monotonic() - searched > self._records.lease:
                        searched = time.monotonic()
                        await asyncio.to_thread(self._outbox.put_interrupted)
                    due = await asyncio.to_thread(self._outbox.due, _AT_ONCE)
                    await asyncio.gather(*(self._deliver(http, notice) for notice in due))
                    if time.monotonic() - cleaned > _CLEANING:
                        cleaned = time.monotonic()
                        await asyncio.to_thread(self._outbox.clean)
                except Exception as error:  # noqa: BLE001 - the database may be back in a moment
                    _LOG.warning("webhooks: the outbox cannot be read: %s", type(error).__name__)
                    due = []
                if len(due) < _AT_ONCE:
                    await asyncio.sleep(self._poll)

    async def _deliver(self, http: aiohttp.ClientSession, notice: Notice) -> None:
        webhook = self._webhooks.get(notice.webhook)
        operation = await asyncio.to_thread(self._records.get, notice.caller, notice.operation)
        if webhook is None or operation is None or notice.attempts >= _ATTEMPTS:
            _LOG.warning("webhook %s: operation %s is not told to it", notice.webhook, notice.operation)
            await asyncio.to_thread(self._outbox.close, notice)
            return
        wait = pause(notice.attempts)
        if not await asyncio.to_thread(self._outbox.claim, notice, _TIMEOUT + wait):
            return
        why = await self._post(http, webhook, notice, body_of(operation))
        if why is None:
            await asyncio.to_thread(self._outbox.close, notice)
        else:
            _LOG.warning("webhook %s: operation %s: %s", webhook.name, operation.id, why)
            await asyncio.to_thread(self._outbox.postpone, notice, wait)

    async def _post(self, http: aiohttp.ClientSession, webhook: Webhook, notice: Notice, body: bytes) -> str | None:
        """One attempt. Returns why it failed, or None."""
        headers = {
            "Content-Type": "application/json",
            **signing.headers(webhook.key, notice.id, int(time.time()), body),
        }
        options: dict[str, Any] = {} if webhook.context is None else {"ssl": webhook.context}
        try:
            async with http.post(webhook.url, data=body, headers=headers, allow_redirects=False, **options) as response:
                return None if response.ok and response.status < 300 else f"HTTP {response.status}"  # noqa: PLR2004 - as HTTP has it
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return type(error).__name__
