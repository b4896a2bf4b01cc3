"""Teaches the HAProxy in front what the gateway has decided, so that the next request like it need not come here.

What is taught is a decision for a scope, letter by letter (`haproxy.maps`), for this cloud and those of the same owner; for another owner's
the federated token that stands for a user's, with which image data goes straight and nothing else; and at the door of other clouds, visitors
(`guests`). It lasts until an agreement or a peer changes, or the gateway starts: then all is forgotten. A token
lasts `trust.recheck` seconds, after which the gateway asks Keystone again; one whose revocation passes by is forgotten at once. The gateway alone
writes to the maps; a client cannot.
"""

import asyncio
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Cloud
from openstackoid.core.routing import READS, Facts, Federation, Local, Reject, Remote, decide
from openstackoid.core.scope import Scope
from openstackoid.gateway import headers as heads
from openstackoid.gateway.agreements import Agreements
from openstackoid.gateway.calls import Call, Taught, Way
from openstackoid.gateway.guests import Guests
from openstackoid.gateway.rates import WORKERS
from openstackoid.gateway.visitors import Visitor
from openstackoid.haproxy import maps
from openstackoid.haproxy.admin import Admin, AdminError
from openstackoid.haproxy.maps import Entry
from openstackoid.haproxy.plan import ADMIN, HERE, PEERS, TOKENS, WAYS

_SEVERAL: Final = int(os.environ.get(WORKERS, "1")) > 1
_LONGEST: Final = 1024  # characters of a scope that is worth HAProxy's memory: whoever asks, invented token or not, may have it taught
_LOOK: Final = 0.2  # seconds between two looks at what has changed
_NAMES: Final = 5.0  # seconds between two looks at the addresses of the peers' hosts
_MOST: Final = 8192  # tokens, and ways, that HAProxy is taught by one worker
_FEW: Final = 32  # services of peers that are changed one by one
_QUIET: Final = 10.0  # seconds between two words about an HAProxy that does not answer
# Requests whose decision depends on more than service, method and scope: the gateway's rule for each of them must say the same.
_WRITES: Final = ("/v2.1/servers", "/v2.1/servers/x/os-volume_attachments", "/v2.1/flavors")


class FastPath:
    """The maps of the HAProxy in front.

    Args:
        directory: where they are.
        reachable: cloud -> service type -> URL, of peers that HAProxy may reach directly; and names in certificates.
    """

    def __init__(self, directory: Path, reachable: Callable[[], tuple[Mapping[str, Cloud], Mapping[str, str]]]) -> None:
        self._directory = directory
        self._admin = Admin(directory / ADMIN)
        self._reachable = reachable
        self._guests = Guests(self._admin, directory)
        self._ways: set[str] = set()
        # What is to be taught with the next command: many requests may wait for the same lesson.
        self._lessons: dict[tuple[str, str], Entry] = {}
        # Key -> (when it ends, the user's token), the oldest first.
        self._tokens: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._places: list[Entry] | None = None
        self._placed = 0.0
        self._generation: object = None
        self._answers = False  # HAProxy does
        self._current: Callable[[], object] = object
        self._worker = ""
        self._turn = asyncio.Lock()  # one command after the other
        self._working: set[asyncio.Task[None]] = set()
        self._spoke = 0.0

    def start(self, generation: Callable[[], object]) -> None:
        """Forget what an earlier gateway taught, and follow what changes.

        Args:
            generation: differs from what it was when decisions may differ.
        """
        self._current = generation
        self._spawn(self._follow())

    async def stop(self) -> None:
        """Stop following; HAProxy keeps what it knows, and is taught nothing more: another gateway may have begun."""
        self._answers = False
        for task in list(self._working):
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    def learned(
        self,
        call: Call,
        decision: Local | Remote,
        way: Way,
        explicit: Scope,
        federation: Federation,
        *,
        federated: bool,
    ) -> None:
        """Teach what was decided for a request, if all like it are decided so."""
        service, text, method = call.place.service, call.text, call.request.method
        if not call.scope or text is None or len(text) > _LONGEST or not maps.is_writable(text):
            return  # an empty scope does not go on the token
        if method not in maps.METHODS or len(self._lessons) >= _MOST:
            return  # HAProxy is slow: a later request will say it again
        if not self._answers or self._generation != self._current():
            return  # all is about to be forgotten
        if isinstance(decision, Remote) and federated:
            if service == "image":
                self._learned_token(call, decision, way.taught, text, federation)
            return
        if not _always(service, method in READS, call.scope, federation, decision):
            return
        written, name = scopes.format(explicit), WAYS
        if isinstance(decision, Local):
            same, name = "S" if text == written else "L", HERE
            plain = service == "identity" or explicit.stays(decision.cloud)
            value = maps.PLAIN if plain else f"{same}|{heads.MARK}{written}"
        elif service == "identity":
            return  # what is asked of another cloud's Keystone needs more than a map
        else:
            value = f"T{decision.cloud}|{service}!{written}"
        way_key = maps.way(service, text, method=method)
        if not maps.is_writable(way_key) or not maps.is_writable(value):
            return  # too long
        self._learn(name, Entry(way_key, value))

    def _learned_token(
        self, call: Call, decision: Remote, taught: Taught | None, text: str, federation: Federation
    ) -> None:
        """Teach a user's token for image data of another owner, down and up."""
        if taught is None or call.auth is None or taught.until <= time.time():
            return
        if not all(_always("image", reads, call.scope, federation, decision) for reads in (True, False)):
            return
        ids = (taught.user, taught.project, taught.agreement)
        key, value = maps.user(call.auth, text), maps.token(taught.until, ids, decision.cloud, taught.token)
        if key is None or value is None or not maps.is_writable(key) or not maps.is_writable(value):
            return
        self._tokens[key] = (taught.until, call.auth)
        self._tokens.move_to_end(key)
        self._learn(TOKENS, Entry(key, value))

    def _learn(self, name: str, entry: Entry) -> None:
        if not self._lessons:
            self._spawn(self._teach())
        self._lessons[name, entry.key] = entry

    def visited(
        self, visitor: Visitor, call: Call, agreements: Agreements, federation: Federation, generation: object
    ) -> None:
        """Teach that a visitor may fetch image data, if any such request may pass.

        Args:
            visitor: who was let in, with this call, after that generation had been looked at.
            call: to the image service, at the door of other clouds.
            agreements: in force.
            federation: the clouds that are known.
            generation: as `start` has it.
        """
        if not self._answers or not self._generation == generation == self._current():
            return  # all is about to be forgotten
        lesson = self._guests.lesson(visitor, call, agreements, federation)
        if lesson:
            self._spawn(self._let_in(*lesson, generation))

    async def forget(self, token: str) -> None:
        """Have HAProxy forget a user's token: it was revoked. When this is over, it has, if it answers."""
        if _SEVERAL:
            # Another worker may have taught it, under a scope that is not known here.
            self._tokens.clear()
            await self._safely(self._drop(None))
            return
        keys = [key for key, (_, own) in self._tokens.items() if own == token]
        for key in keys:
            del self._tokens[key]
        if keys:
            await self._safely(self._drop(keys))

    async def _follow(self) -> None:
        while True:
            try:
                worker, now = await self._admin.worker(), self._current()
                if changed := (self._worker, self._generation) != (worker, now):
                    await self._forget()
                    if self._worker != worker:
                        self._places = None  # one that has just begun may have read an older file
                if changed or time.monotonic() - self._placed > _NAMES:
                    await self._move()
                self._worker, self._generation, self._answers = worker, now, True
                await self._expire()
                async with self._turn:
                    await self._guests.expire()
            except AdminError as error:
                # What had to be forgotten still has to be: it is done again. One that was merely slow forgets nothing else.
                self._answers = False
                self._complain(error)
            await asyncio.sleep(_LOOK)

    async def _forget(self) -> None:
        self._lessons.clear()
        async with self._turn:
            self._ways.clear()
            self._tokens.clear()
            for name in (HERE, WAYS, TOKENS):
                await self._admin.clear(self._directory / name)
            await self._guests.clear()

    async def _let_in(self, entry: Entry, until: float, generation: object) -> None:
        async with self._turn:
            if self._answers and generation == self._current():
                await self._guests.teach(entry, until)

    async def _teach(self) -> None:
        async with self._turn:
            lessons, self._lessons = self._lessons, {}
            ways = {key for name, key in lessons if name != TOKENS}
            if len(self._ways | ways) > _MOST:
                self._ways.clear()
                for name in (HERE, WAYS):
                    await self._admin.clear(self._directory / name)
            self._ways |= ways
            # A token that was revoked meanwhile is not taught.
            known = [each for each in lessons.items() if each[0][0] != TOKENS or each[0][1] in self._tokens]
            await self._admin.put(*((self._directory / name, entry) for (name, _), entry in known))

    async def _drop(self, keys: Iterable[str] | None) -> None:
        """Have HAProxy forget these tokens; None: all."""
        async with self._turn:
            if keys is None:
                await self._admin.clear(self._directory / TOKENS)
            else:
                await self._admin.drop(self._directory / TOKENS, keys)

    async def _move(self) -> None:
        """Tell HAProxy where peers are, when that has changed; and the file, for when it starts again."""
        clouds, names = self._reachable()
        services = {name: dict(cloud.services) for name, cloud in clouds.items()}
        addresses = {}
        for host in {urlsplit(url).hostname or "" for each in services.values() for url in each.values()}:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, None)
            except OSError:
                continue
            addresses[host] = str(found[0][4][0])
        places = maps.places(services, addresses, names)
        if places != self._places:
            await self._place(places)
            fresh = self._directory / f".{PEERS}.new"
            fresh.write_text(maps.text(places))
            fresh.replace(self._directory / PEERS)
            self._places = places
        self._placed = time.monotonic()

    async def _place(self, places: list[Entry]) -> None:
        """The few that have changed, each at once, or all: HAProxy walks through the whole map for each."""
        known = {each.key: each for each in self._places or ()}
        changed = [(self._directory / PEERS, each) for each in places if known.get(each.key) != each]
        gone = known.keys() - {each.key for each in places}
        if self._places is None or len(changed) + len(gone) > _FEW:
            await self._admin.replace(self._directory / PEERS, places)
        else:
            await self._admin.put(*changed)
            await self._admin.drop(self._directory / PEERS, gone)

    async def _expire(self) -> None:
        """Delete tokens whose time is over, and the oldest of too many: HAProxy itself never does."""
        now = time.time()
        old = [key for key, (until, _) in self._tokens.items() if until <= now]
        old += list(self._tokens)[: max(0, len(self._tokens) - _MOST)]
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
        except (AdminError, OSError) as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._spoke > _QUIET:
            self._spoke = now
            print(f"fast path: {error}", file=sys.stderr, flush=True)


def _always(service: str, reads: bool, scope: Scope, federation: Federation, decision: Local | Remote) -> bool:
    """Whether every such request of this scope is decided the same."""
    method = "GET" if reads else "POST"
    paths = _WRITES if service == "compute" and not reads else ("/",)
    same = (decide(Facts(service, method, path), scope, federation) for path in paths)
    return all(
        not isinstance(each, Reject) and type(each) is type(decision) and each.cloud == decision.cloud for each in same
    )
