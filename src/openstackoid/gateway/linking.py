"""Which URLs become which in answers, for each door, service and saved scope: see `core.links`."""

from typing import Final
from urllib.parse import urlsplit

from openstackoid.core.catalog import Cloud
from openstackoid.core.links import Links
from openstackoid.gateway.doors import Door
from openstackoid.gateway.frontends import Place

_NO_LINKS: Final = Links({})


class Linking:
    """Tables of URLs, made when they are first needed.

    Args:
        here: this cloud, as its users see it.
    """

    def __init__(self, here: Cloud) -> None:
        self._here = here
        self._local: dict[tuple[str, str | None, bool, str | None], tuple[Cloud | None, Links]] = {}
        self._remote: dict[tuple[str, str | None, bool], tuple[Cloud, Links]] = {}

    def here(self, door: Door, place: Place, via: Cloud | None = None) -> Links:
        """For answers of our own backends.

        Args:
            door: where the request came in.
            place: of which service it is.
            via: the cloud that sent it on; links lead to its frontends, so that it has nothing to change.
        """
        key = (place.service, place.saved, door.peers, via.name if via else None)
        known = self._local.get(key)
        if known is None or known[0] is not via:
            ours = {**door.cloud.services, **((via.frontends or via.services) if via else {})}
            frontend = ours[place.service]
            seen = urlsplit(door.cloud.services[place.service]).netloc
            # What services link to each other with is what users call; through another door it has other URLs.
            table = {url: url for url in ours.values()}
            for cloud in (self._here, door.cloud):
                table |= {url: ours[kind] for kind, url in cloud.services.items()}
            # Services build links from Host, and know neither TLS in front of them nor a path.
            table |= {f"{scheme}://{seen}": frontend for scheme in ("http", "https")}
            if place.saved:
                scoped = door.frontends.scoped(place.saved)
                table = {old: scoped.get(new, new) for old, new in table.items()}
            known = self._local[key] = (via, Links(table))
        return known[1]

    def there(self, peer: Cloud | None, door: Door, place: Place) -> Links:
        """For answers of a peer; None if it went just now."""
        if peer is None:
            return _NO_LINKS
        key = (peer.name, place.saved, door.peers)
        known = self._remote.get(key)
        if known is None or known[0] is not peer:
            scoped = door.frontends.scoped(place.saved) if place.saved else {}
            ours = {kind: scoped.get(url, url) for kind, url in door.cloud.services.items()}
            table = {url: ours[kind] for kind, url in peer.services.items() if kind in ours}
            table |= {url: scoped.get(url, url) for url in door.cloud.services.values()}
            known = self._remote[key] = (peer, Links(table))
        return known[1]
