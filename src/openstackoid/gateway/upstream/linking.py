"""Which URLs become which in answers, for each door, service and saved scope: see `core.links`."""

from urllib.parse import urlsplit

from openstackoid.core.catalog import Cloud
from openstackoid.core.foreign_links import IncomingLinks, OutgoingLinks
from openstackoid.core.links import Links
from openstackoid.gateway.entry.frontends import Place
from openstackoid.gateway.entry.listeners import Door


class Linking:
    """Tables of URLs, made when they are first needed.

    Args:
        here: this cloud, as its users see it.
    """

    def __init__(self, here: Cloud) -> None:
        self._here = here
        self._local: dict[tuple[str, str | None, bool, str | None, bool], tuple[Cloud | None, Links]] = {}
        self._remote: dict[tuple[str, str, str | None, bool, bool], tuple[Cloud, Links]] = {}

    def here(self, door: Door, place: Place, via: Cloud | None = None, *, foreign: bool = False) -> Links:
        """For answers of our own backends.

        Args:
            door: where the request came in.
            place: of which service it is.
            via: the cloud that sent it on; links lead to its frontends, so that it has nothing to change.
            foreign: whether another owner's users get them.
        """
        key = (place.service, place.saved, door.peers, via.name if via else None, foreign)
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
            kind = OutgoingLinks if foreign else Links
            known = self._local[key] = (via, kind(table, place.service))
        return known[1]

    def there(self, peer: Cloud, door: Door, place: Place, *, foreign: bool = False) -> Links:
        """For answers of a peer; `foreign`: of another owner's."""
        key = (peer.name, place.service, place.saved, door.peers, foreign)
        known = self._remote.get(key)
        if known is None or known[0] is not peer:
            scoped = door.frontends.scoped(place.saved) if place.saved else {}
            ours = {kind: scoped.get(url, url) for kind, url in door.cloud.services.items()}
            table = {url: ours[kind] for kind, url in peer.services.items() if kind in ours}
            table |= {url: scoped.get(url, url) for url in door.cloud.services.values()}
            links = IncomingLinks(table, place.service, peer.name, ours) if foreign else Links(table, place.service)
            known = self._remote[key] = (peer, links)
        return known[1]
