"""Addresses of peers for HAProxy: DNS look-ups of their hosts, and `peers.map` with its file.

Names are looked up in parallel, outside the follower: a peer whose name servers do not answer delays neither the other peers nor the
deletion of entries.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from openstackoid.core.catalog import Cloud
from openstackoid.gateway.telemetry.loops import Loop
from openstackoid.haproxy import maps
from openstackoid.haproxy.admin import Admin
from openstackoid.haproxy.maps import Entry
from openstackoid.haproxy.plan import PEERS

_NAMES: Final = 5.0  # seconds between two look-ups of the peers' hosts
_TIMEOUT: Final = 5.0  # seconds for one look-up
_MAX_ONE_BY_ONE: Final = 32  # services of peers that are changed one by one


class PeerAddresses:
    """Addresses of the peers that HAProxy may reach directly.

    Args:
        admin: HAProxy's admin socket.
        directory: where its maps are.
        reachable: cloud -> what it serves; and names in certificates.
    """

    def __init__(
        self, admin: Admin, directory: Path, reachable: Callable[[], tuple[Mapping[str, Cloud], Mapping[str, str]]]
    ) -> None:
        self._admin = admin
        self._map = directory / PEERS
        self._reachable = reachable
        self._addresses: dict[str, str] = {}  # host -> IP address
        self._sent: list[Entry] | None = None  # the entries that HAProxy has
        self._entries: dict[str, tuple[Cloud, list[Entry]]] = {}  # cloud -> its entries, and their source
        self._changed = True  # the entries that HAProxy has may be out of date
        self._resolver = Loop("peers' addresses", self._resolve)

    def start(self) -> None:
        """Start looking names up."""
        self._resolver.start()

    async def stop(self) -> None:
        """Stop looking names up."""
        await self._resolver.stop()

    def moved(self) -> None:
        """Look names up now: peers changed."""
        self._changed = True
        self._resolver.wake()

    def lost(self) -> None:
        """HAProxy has started anew, and may have read an older file: send all entries again."""
        self._sent, self._changed = None, True

    async def tell(self) -> None:
        """Send changed addresses of peers to HAProxy, and write them to the file that HAProxy reads at its start.

        Raises:
            AdminError: it does not answer.
        """
        if not self._changed:
            return  # making the entries of a thousand peers takes 50 ms
        self._changed = False
        try:
            places = self._places()
            if places != self._sent:
                await self._put(places)
                fresh = self._map.with_name(f".{PEERS}.new")
                fresh.write_text(maps.text(places))
                fresh.replace(self._map)
                self._sent = places
        except BaseException:
            self._changed = True
            raise

    def _places(self) -> list[Entry]:
        """The entries that HAProxy should have; only the entries of clouds that changed are made again."""
        clouds, names = self._reachable()
        known, self._entries = self._entries, {}
        for name, cloud in clouds.items():
            before = known.get(name)
            if before is None or before[0] is not cloud:
                before = cloud, maps.places({name: cloud.services}, self._addresses, names)
            self._entries[name] = before
        return [entry for _, (_, entries) in sorted(self._entries.items()) for entry in entries]

    async def _put(self, places: list[Entry]) -> None:
        """Send few changes one by one, and many as the whole map: each single change makes HAProxy walk through the whole map."""
        known = {entry.key: entry for entry in self._sent or ()}
        changed = [(self._map, entry) for entry in places if known.get(entry.key) != entry]
        gone = known.keys() - {entry.key for entry in places}
        if self._sent is None or len(changed) + len(gone) > _MAX_ONE_BY_ONE:
            await self._admin.replace(self._map, places)
        else:
            await self._admin.put(*changed)
            await self._admin.drop(self._map, gone)

    async def _resolve(self) -> float:
        clouds, _ = self._reachable()
        hosts = {urlsplit(url).hostname or "" for cloud in clouds.values() for url in cloud.services.values()}
        before = dict(self._addresses)
        for host in self._addresses.keys() - hosts:
            del self._addresses[host]
        await asyncio.gather(*map(self._look_up, sorted(hosts)))
        if self._addresses != before:
            self._entries.clear()
            self._changed = True
        return _NAMES

    async def _look_up(self, host: str) -> None:
        with contextlib.suppress(ValueError):
            self._addresses[host] = str(ipaddress.ip_address(host))  # an IP address needs no thread
            return
        try:
            async with asyncio.timeout(_TIMEOUT):
                infos = await asyncio.get_running_loop().getaddrinfo(host, None)
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            self._addresses.pop(host, None)
        else:
            self._addresses[host] = str(infos[0][4][0])
