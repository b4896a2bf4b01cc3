"""Foreign users whose image downloads HAProxy may serve itself: the conditions, and the map entries (`haproxy.image_downloads`).

The gateway normally checks each request. This module checks all requests of one kind in advance, `GET /v2/images/ID/file` with any id, when the
gateway has admitted a user with any request to the image service. An entry holds until the first of these: the token expires, a fact that the
decision depends on changes, or the agreements have not been read from the database for as long as they may count unread.
"""

import time
from collections import OrderedDict
from pathlib import Path
from typing import Final

from openstackoid.core.routing import CloudMap, Facts, Local, decide
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.haproxy import image_downloads, patterns
from openstackoid.haproxy.admin import Admin
from openstackoid.haproxy.maps import Entry
from openstackoid.haproxy.plan import VISITORS
from openstackoid.trust import tokens
from openstackoid.trust.rules import covers

_MAX_ENTRIES: Final = 8192  # entries that one worker teaches HAProxy
_MAX_ONE_BY_ONE: Final = 512  # entries deleted one by one: for each, HAProxy walks through the whole map
_LATER: Final = 10.0  # seconds by which an entry's end must move to be worth a command
_SERVICE: Final = "image"
_METHOD: Final = "GET"


class ImageTokens:
    """The foreign users' tokens that HAProxy was taught.

    Args:
        admin: HAProxy's admin socket.
        directory: where its maps are.
    """

    def __init__(self, admin: Admin, directory: Path) -> None:
        self._admin = admin
        self._map = directory / VISITORS
        # Key -> when the entry ends, and the clouds that it depends on; the oldest first.
        self._known: OrderedDict[str, tuple[float, frozenset[str]]] = OrderedDict()
        self._there = False  # whether HAProxy has read a configuration with this map (one with a peering address)

    async def clear(self) -> None:
        """Delete all entries from HAProxy.

        Raises:
            AdminError: it does not answer.
        """
        self._known.clear()
        self._there = await self._admin.cleared(self._map)

    async def forget(self, clouds: set[str]) -> None:
        """Delete the entries that depend on these clouds from HAProxy.

        Raises:
            AdminError: it does not answer.
        """
        keys = [key for key, (_, of) in self._known.items() if of & clouds]
        if len(keys) > _MAX_ONE_BY_ONE:
            await self.clear()
            return
        await self._admin.drop(self._map, keys)
        for key in keys:
            del self._known[key]

    def lesson(
        self,
        token: ForeignToken,
        project: str,
        project_until: float,
        hops: tuple[str, ...],
        agreements: Agreements,
        cloud_map: CloudMap,
    ) -> tuple[Entry, float] | None:
        """The entry for a user who was admitted, and until when it holds (Unix seconds); None if none is allowed, or HAProxy already has it."""
        until = min(float(token.claims.expires), agreements.trusted_until, project_until)
        key = image_downloads.key(token.token, token.claims.issuer)
        if not self._there or until <= time.time() or not self._is_later(key, until):
            return None
        if not may(token, hops, cloud_map):
            return None
        claims = token.claims
        ids = (claims.user.id, claims.project.id, token.agreement.id, token.user, project)
        value = image_downloads.value(until, ids, tokens.marked(token.token, agreements.keys))
        return None if value is None else (Entry(key, value), until)

    def _is_later(self, key: str, until: float) -> bool:
        """Whether the entry that HAProxy has, if any, is over, or ends so much earlier that a new one is worth a command."""
        known = self._known[key][0] if key in self._known else 0.0
        return known <= time.time() or until >= known + _LATER

    async def teach(self, entry: Entry, until: float, clouds: frozenset[str]) -> None:
        """Add an entry to HAProxy; changes of these clouds delete it.

        Raises:
            AdminError: it does not answer, or refuses.
        """
        if not self._is_later(entry.key, until):
            return  # many requests may bring the same lesson
        # Recorded before it is sent: every entry that HAProxy may have received can be deleted later.
        self._known[entry.key] = (until, clouds)
        self._known.move_to_end(entry.key)
        await self._admin.put((self._map, entry))

    async def expire(self) -> None:
        """Delete expired entries, and the oldest ones above the bound.

        Raises:
            AdminError: HAProxy does not answer.
        """
        now = time.time()
        old = [key for key, (until, _) in self._known.items() if until <= now]
        old += list(self._known)[: max(0, len(self._known) - _MAX_ENTRIES)]
        await self._admin.drop(self._map, old)
        for key in old:
            self._known.pop(key, None)


def may(token: ForeignToken, hops: tuple[str, ...], cloud_map: CloudMap) -> bool:
    """Whether a foreign user who is admitted may fetch the data of every image, as far as claims, agreement and scope say.

    Args:
        token: of the user.
        hops: the clouds that the request passed through before.
        cloud_map: the clouds that are known.
    """
    claims, grant = token.claims, token.agreement.grant
    if token.inner or claims.actor is not None or hops != (claims.issuer,):
        return False  # by way of a third cloud
    if token.agreement.resources.images:
        return False  # not every image is in the region
    if grant.rate is not None:
        return False  # the rate limit must count each request
    if patterns.is_image(claims.user.id) or patterns.is_image(claims.project.id):
        return False  # ids are mapped in paths (core/ids.py), and this one might be an image's
    if not covers(grant.allows, _SERVICE, _METHOD, patterns.BEFORE, patterns.AFTER):
        return False
    facts = Facts(_SERVICE, _METHOD, f"{patterns.BEFORE}x{patterns.AFTER}", hops)
    return isinstance(decide(facts, claims.scope, cloud_map), Local)
