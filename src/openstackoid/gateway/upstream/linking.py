"""Tables of the URLs to replace in answers, for each listener, service and saved scope: see `core.links`."""

from urllib.parse import urlsplit

from openstackoid.core.catalog import Cloud
from openstackoid.core.foreign_links import IncomingLinks, OutgoingLinks
from openstackoid.core.links import Links
from openstackoid.gateway.entry.frontends import Route
from openstackoid.gateway.entry.listeners import Listener


class Linking:
    """The tables, made when they are first needed.

    Args:
        here: this cloud, as its users see it.
    """

    def __init__(self, here: Cloud) -> None:
        self._here = here
        self._local: dict[tuple[str, str | None, bool, str | None, bool], tuple[Cloud | None, Links]] = {}
        self._remote: dict[tuple[str, str, str | None, bool, bool], tuple[Cloud, Links]] = {}

    def here(self, listener: Listener, route: Route, via: Cloud | None = None, *, foreign: bool = False) -> Links:
        """For answers of our own backends.

        Args:
            listener: where the request came in.
            route: of its service.
            via: the cloud that forwarded the request; links lead to its frontends, so that it need not change them.
            foreign: whether users of another owner get the answers.
        """
        key = (route.service, route.saved_scope, listener.peers, via.name if via else None, foreign)
        known = self._local.get(key)
        if known is None or known[0] is not via:
            ours = {**listener.cloud.services, **((via.frontends or via.services) if via else {})}
            frontend = ours[route.service]
            seen = urlsplit(listener.cloud.services[route.service]).netloc
            # Services link to each other by the frontends' URLs; another listener has other URLs for the same services.
            table = {url: url for url in ours.values()}
            for cloud in (self._here, listener.cloud):
                table |= {url: ours[kind] for kind, url in cloud.services.items()}
            # Services build links from the Host header, without TLS and path prefix of the proxy in front of them.
            table |= {f"{scheme}://{seen}": frontend for scheme in ("http", "https")}
            if route.saved_scope:
                scoped = listener.frontends.scoped(route.saved_scope)
                table = {old: scoped.get(new, new) for old, new in table.items()}
            kind = OutgoingLinks if foreign else Links
            known = self._local[key] = (via, kind(table, route.service))
        return known[1]

    def there(self, peer: Cloud, listener: Listener, route: Route, *, foreign: bool = False) -> Links:
        """For answers of a peer; `foreign`: of another owner's."""
        key = (peer.name, route.service, route.saved_scope, listener.peers, foreign)
        known = self._remote.get(key)
        if known is None or known[0] is not peer:
            scoped = listener.frontends.scoped(route.saved_scope) if route.saved_scope else {}
            ours = {kind: scoped.get(url, url) for kind, url in listener.cloud.services.items()}
            if route.saved_scope:  # services that only the peer has
                ours = {kind: listener.frontends.by_type(route.saved_scope, kind) for kind in peer.services} | ours
            table = {url: ours[kind] for kind, url in peer.services.items() if kind in ours}
            table |= {url: scoped.get(url, url) for url in listener.cloud.services.values()}
            links = IncomingLinks(table, route.service, peer.name, ours) if foreign else Links(table, route.service)
            known = self._remote[key] = (peer, links)
        return known[1]
