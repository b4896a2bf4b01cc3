"""Teaches the gateway's decisions to the HAProxy in front, so that HAProxy can serve the next such request itself.

The entries, keyed by the exact text of the scope (`haproxy.maps`):

- decisions that lead to this cloud, or to one of the same owner;
- for clouds of other owners, the federated token that replaces a user's token, for image data alone;
- at the peering address, foreign users' tokens, for image data alone (`image_tokens`).

An entry lasts until a cloud that it depends on, or the agreement with that cloud, changes; until the gateway starts; and for `LEASE` seconds
after the follower last saw that nothing had changed, which HAProxy checks by its clock. A token lasts `trust.recheck` seconds, after which
the gateway asks Keystone again; a token whose revocation passes through the gateway is deleted at once. Only the gateway writes to the maps.
"""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from openstackoid.core.catalog import Cloud
from openstackoid.core.routing import CloudMap, Local, Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.fastpath import entries
from openstackoid.gateway.fastpath.image_tokens import ImageTokens
from openstackoid.gateway.fastpath.peer_addresses import PeerAddresses
from openstackoid.gateway.fastpath.present import Present
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.memory import digest
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.gateway.telemetry.loops import Loop, described
from openstackoid.gateway.upstream.legs import CacheableToken
from openstackoid.gateway.upstream.rates import WORKERS
from openstackoid.haproxy import maps
from openstackoid.haproxy.admin import Admin, AdminError
from openstackoid.haproxy.maps import Entry
from openstackoid.haproxy.plan import ADMIN, HERE, LEASED, TOKENS, WAYS

_LOG: Final = logging.getLogger(__name__)
_POLL_INTERVAL: Final = 0.2  # seconds between two checks for changes
LEASE: Final = 10.0  # seconds for which HAProxy uses its entries without a renewal
_RENEWED: Final = 1.0  # seconds between two renewals
_MAX_ENTRIES: Final = 8192  # tokens, and decisions, that one worker teaches HAProxy
_MAX_ONE_BY_ONE: Final = 512  # entries deleted one by one: for each, HAProxy walks through the whole map
_QUIET_INTERVAL: Final = 10.0  # seconds between two reports of an HAProxy that does not answer
_NOTHING: Final[Mapping[str, object]] = {}


class Teacher:
    """The maps of the HAProxy in front.

    Args:
        directory: where they are.
        reachable: cloud -> what it serves, of peers that HAProxy may reach directly; and names in certificates.
        present: the facts that decisions depend on.
    """

    def __init__(
        self,
        directory: Path,
        reachable: Callable[[], tuple[Mapping[str, Cloud], Mapping[str, str]]],
        present: Present,
    ) -> None:
        self._directory = directory
        self._admin = Admin(directory / ADMIN)
        self._present = present
        self._image_tokens = ImageTokens(self._admin, directory)
        self._peer_addresses = PeerAddresses(self._admin, directory, reachable)
        # (Map, key) -> the clouds that the entry depends on.
        self._ways: dict[tuple[str, str], frozenset[str]] = {}
        # Entries to send with the next command: many requests may wait for the same entry.
        self._lessons: dict[tuple[str, str], tuple[Entry, frozenset[str]]] = {}
        # Key -> (when the entry ends, the digest of the user's token, the clouds that it depends on), the oldest first.
        self._tokens: OrderedDict[str, tuple[float, bytes, frozenset[str]]] = OrderedDict()
        self._seen: dict[str, object] = {}  # cloud -> its generation when HAProxy last heard of it
        self._answers = False  # whether HAProxy answers
        self._leased = 0.0  # HAProxy's entries hold until then (Unix seconds)
        self._worker = ""
        self._has_siblings = int(os.environ.get(WORKERS, "1")) > 1
        self._turn = asyncio.Lock()  # held during a command: one command after the other
        self._working: set[asyncio.Task[None]] = set()
        self._spoke = 0.0
        self._follower = Loop("fast path", self._follow, _POLL_INTERVAL)

    def start(self) -> None:
        """Delete the entries of an earlier gateway, and start to follow changes."""
        self._peer_addresses.start()
        self._follower.start()

    async def stop(self) -> None:
        """Stop following and teaching. HAProxy keeps its entries: another gateway may have begun."""
        self._answers = False
        await self._follower.stop()
        await self._peer_addresses.stop()
        for task in list(self._working):
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    def learned(
        self,
        call: Call,
        decision: Local | Remote,
        cacheable: CacheableToken | None,
        explicit: Scope,
        cloud_map: CloudMap,
        *,
        federated: bool,
        begun: Mapping[str, object] = _NOTHING,
    ) -> None:
        """Teach the decision of a request, if every request with the same key gets the same decision.

        Args:
            call: the request.
            decision: where it goes.
            cacheable: the token with which it goes there.
            explicit: its whole scope.
            cloud_map: the clouds that are known.
            federated: whether it goes to another owner's cloud.
            begun: the result of `begun_by`.
        """
        key = entries.token_key(call)
        if key is None or len(self._lessons) >= _MAX_ENTRIES:
            return  # HAProxy is slow: a later request teaches the same entry
        clouds = call.scope.clouds()
        if not self._is_current(clouds) or begun != self._present.of(begun):
            return  # it is about to be forgotten
        if not (isinstance(decision, Remote) and federated):
            taught = call.contract is None and entries.of_decision(call, key[0], decision, explicit, cloud_map)
            if taught:
                self._learn(*taught, clouds)
        elif call.route.service == "image" and call.auth and cacheable and cacheable.until > time.time():
            entry = entries.of_token(call, key, decision, cacheable, cloud_map)
            if entry:
                self._tokens[entry.key] = (cacheable.until, digest(call.auth), clouds)
                self._tokens.move_to_end(entry.key)
                self._learn(TOKENS, entry, clouds)

    def _learn(self, name: str, entry: Entry, clouds: frozenset[str]) -> None:
        """Queue an entry for the next command; it holds until one of these clouds changes."""
        if not self._lessons:
            self._spawn(self._teach())
        self._lessons[name, entry.key] = (entry, clouds)

    def begun_by(self, call: Call) -> Mapping[str, object]:
        """The generations that a token for another owner's cloud depends on, taken before it is issued: for `learned`."""
        return self._present.of(call.scope.clouds())

    def begun(self, token: ForeignToken) -> Mapping[str, object]:
        """The generations that admitting a foreign user depends on, taken before it is admitted: for `visited`."""
        return self._present.of(token.claims.scope.clouds() | {token.claims.issuer})

    def visited(
        self,
        token: ForeignToken,
        project: str,
        project_until: float,
        hops: tuple[str, ...],
        agreements: Agreements,
        cloud_map: CloudMap,
        begun: Mapping[str, object],
    ) -> None:
        """Teach that a foreign user may fetch image data, if every such request may pass.

        Args:
            token: of a user who was admitted with a request to the image service at the peering address.
            project: the local project that stands for the user's project.
            project_until: until when this cloud's Keystone is known to let it be used (Unix seconds).
            hops: the clouds that the request passed through before.
            agreements: in force.
            cloud_map: the clouds that are known.
            begun: the result of `begun`.
        """
        if not self._is_current(begun) or begun != self._present.of(begun):
            return  # it is about to be forgotten
        lesson = self._image_tokens.lesson(token, project, project_until, hops, agreements, cloud_map)
        if lesson:
            self._spawn(self._let_in(*lesson, begun))

    async def forget(self, token: str) -> None:
        """Delete a revoked user's token from HAProxy. Returns when HAProxy has deleted it, or does not answer."""
        if self._has_siblings:
            # Another worker may have taught the token, under a scope that this worker does not know.
            self._tokens.clear()
            await self._safely(self._drop(None))
            return
        gone = digest(token)
        keys = [key for key, (_, own, _) in self._tokens.items() if own == gone]
        for key in keys:
            del self._tokens[key]
        if keys:
            await self._safely(self._drop(keys))

    def _is_current(self, clouds: Iterable[str]) -> bool:
        """Whether HAProxy has deleted the outdated entries of these clouds, so that new ones may be taught."""
        if not self._answers or self._present.age() >= LEASE:
            return False
        return all(self._seen.get(name, self) == self._present.generation(name) for name in clouds)

    async def _follow(self) -> float:
        try:
            worker, now = await self._admin.worker(), self._present.of(self._present.clouds())
            changed = {
                name for name in now.keys() | self._seen.keys() if now.get(name, self) != self._seen.get(name, self)
            }
            if self._worker != worker:
                await self._forget(None)
                self._peer_addresses.lost()  # an HAProxy that has just started may have read an older file
            elif changed:
                await self._forget(changed)
            if changed:
                self._peer_addresses.moved()
            await self._peer_addresses.tell()
            self._worker, self._seen, self._answers = worker, now, True
            await self._expire()
            async with self._turn:
                await self._image_tokens.expire()
            await self._renew()
        except BaseException:
            # The failed deletion is done again. An HAProxy that was merely slow keeps all other entries.
            self._answers = False
            raise
        return _POLL_INTERVAL

    async def _renew(self) -> None:
        """Renew the lease of HAProxy's entries, counted from the last check for changes."""
        until = time.time() + LEASE - self._present.age()
        if until > self._leased + _RENEWED:
            await self._admin.put((self._directory / LEASED, maps.lease(until)))
            self._leased = until

    async def _forget(self, clouds: set[str] | None) -> None:
        """Delete the entries that depend on these clouds; None: all entries, since HAProxy or this gateway has started anew."""
        concerned = [
            *(way for way, of in self._ways.items() if clouds is None or of & clouds),
            *((TOKENS, key) for key, (_, _, of) in self._tokens.items() if clouds is None or of & clouds),
        ]
        for name, key in list(self._lessons):
            if clouds is None or self._lessons[name, key][1] & clouds:
                del self._lessons[name, key]
        async with self._turn:
            for name in (HERE, WAYS, TOKENS):
                keys = [key for of, key in concerned if of == name]
                if clouds is None or len(keys) > _MAX_ONE_BY_ONE:
                    # A cloud without an image service has no tokens.map.
                    await self._admin.cleared(self._directory / name)
                    self._dropped(name, None)
                else:
                    await self._admin.drop(self._directory / name, keys)
                    self._dropped(name, keys)
            if clouds is None:
                self._leased = 0.0
                await self._image_tokens.clear()
            else:
                await self._image_tokens.forget(clouds)

    def _dropped(self, name: str, keys: list[str] | None) -> None:
        """Record that HAProxy has deleted these entries of a map; None: all."""
        if name == TOKENS:
            for key in list(self._tokens) if keys is None else keys:
                self._tokens.pop(key, None)
        else:
            for way in [way for way in self._ways if way[0] == name and (keys is None or way[1] in keys)]:
                del self._ways[way]

    async def _let_in(self, entry: Entry, until: float, begun: Mapping[str, object]) -> None:
        async with self._turn:
            if self._is_current(begun) and begun == self._present.of(begun):
                await self._image_tokens.teach(entry, until, frozenset(begun))

    async def _teach(self) -> None:
        async with self._turn:
            lessons, self._lessons = self._lessons, {}
            ways = {way: of for way, (_, of) in lessons.items() if way[0] != TOKENS}
            if len(self._ways.keys() | ways) > _MAX_ENTRIES:
                self._ways.clear()
                for name in (HERE, WAYS):
                    await self._admin.clear(self._directory / name)
            self._ways |= ways
            # Not taught: a token that was revoked meanwhile, and an entry that a change has made outdated.
            known = [
                (name, entry)
                for (name, key), (entry, clouds) in lessons.items()
                if (name != TOKENS or key in self._tokens) and self._is_current(clouds)
            ]
            await self._admin.put(*((self._directory / name, entry) for name, entry in known))

    async def _drop(self, keys: Iterable[str] | None) -> None:
        """Delete these tokens from HAProxy; None: all."""
        async with self._turn:
            if keys is None:
                await self._admin.cleared(self._directory / TOKENS)
            else:
                await self._admin.drop(self._directory / TOKENS, keys)

    async def _expire(self) -> None:
        """Delete expired tokens, and the oldest ones above the bound: HAProxy itself never deletes entries."""
        now = time.time()
        old = [key for key, (until, _, _) in self._tokens.items() if until <= now]
        old += list(self._tokens)[: max(0, len(self._tokens) - _MAX_ENTRIES)]
        late = {key: self._tokens.pop(key) for key in dict.fromkeys(old)}
        try:
            await self._drop(late)
        except AdminError:
            self._tokens = OrderedDict(late | self._tokens)  # the next time
            raise

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.create_task(self._safely(work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _safely(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a lesson that cannot be taught: the gateway serves what HAProxy does not know
            now = time.monotonic()
            if now - self._spoke > _QUIET_INTERVAL:
                self._spoke = now
                _LOG.error("fast path: %s", described(error))
