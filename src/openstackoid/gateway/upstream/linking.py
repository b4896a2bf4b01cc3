"""Tables of the URLs to replace in answers, for each listener, service and saved scope: see `core.links`."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from cachetools import LRUCache

from openstackoid.core.catalog import Cloud
from openstackoid.core.foreign_links import IncomingLinks, OutgoingLinks
from openstackoid.core.links import Links
from openstackoid.core.services import is_official
from openstackoid.gateway.entry.frontends import Route
from openstackoid.gateway.entry.listeners import Listener

# A Host header that may become a part of URLs.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_REMEMBERED: Final = 256  # tables for hosts that callers named


class Linking:
    """The tables, made when they are first needed.

    Args:
        here: this cloud, as its users see it.
    """

    def __init__(self, here: Cloud) -> None:
        self._here = here
        self._local: dict[tuple[str, str | None, str, str | None, bool], tuple[Cloud | None, Links]] = {}
        self._by_host: LRUCache[tuple[str, str, str, str], Links] = LRUCache(_REMEMBERED)
        self._remote: dict[tuple[str, str, str | None, str, bool], tuple[Cloud, Links]] = {}

    def here(
        self,
        listener: Listener,
        route: Route,
        via: Cloud | None = None,
        *,
        host: str | None = None,
        foreign: bool = False,
    ) -> Links:
        """For answers of our own backends.

        Args:
            listener: where the request came in.
            route: of its service.
            via: the cloud that forwarded the request; links lead to its frontends, so that it need not change them.
            host: the request's Host header: services build links from it.
            foreign: whether users of another owner get the answers.
        """
        if route.saved_scope and via is None and not foreign and host and _HOST.match(host):
            return self._scoped(listener, route, route.saved_scope, host)
        key = (route.service, route.saved_scope, listener.kind, via.name if via else None, foreign)
        known = self._local.get(key)
        if known is None or known[0] is not via:
            kind = OutgoingLinks if foreign else Links
            known = self._local[key] = (via, kind(self._table(listener, route, via), route.service))
        return known[1]

    def there(self, peer: Cloud, listener: Listener, route: Route, *, foreign: bool = False) -> Links:
        """For answers of a peer; `foreign`: of another owner's."""
        key = (peer.name, route.service, route.saved_scope, listener.kind, foreign)
        known = self._remote.get(key)
        if known is None or known[0] is not peer:
            scoped = listener.frontends.scoped(route.saved_scope) if route.saved_scope else {}
            ours = {kind: scoped.get(url, url) for kind, url in listener.cloud.services.items()}
            if route.saved_scope:  # services that only the peer has
                ours = {kind: listener.frontends.by_type(route.saved_scope, kind) for kind in peer.services} | ours
            elif listener.peers and is_official(route.service):  # the same, in a region that this cloud resells
                ours = {route.service: listener.frontends.base(route.service)} | ours
            table = {url: ours[kind] for kind, url in peer.services.items() if kind in ours}
            if (
                route.service != "identity"
            ):  # whose answers hold this cloud's catalog, with the URLs of all its interfaces
                table |= {url: ours[kind] for kind, url in self._here.services.items()}
            table |= {url: scoped.get(url, url) for url in listener.cloud.services.values()}
            links = IncomingLinks(table, route.service, peer.name, ours) if foreign else Links(table, route.service)
            known = self._remote[key] = (peer, links)
        return known[1]

    def _scoped(self, listener: Listener, route: Route, saved: str, host: str) -> Links:
        """For answers under a saved scope: also links by the name that the caller used, which may be another one than the frontend's."""
        key = (listener.kind, route.service, saved, host)
        links = self._by_host.get(key)
        if links is None:
            table = self._table(listener, route, None)
            frontend = listener.cloud.services[route.service]
            new = listener.frontends.scoped(saved)[frontend]
            netlocs = {form for name in (host, host.lower()) for form in (name, re.sub(r":(?:80|443)\Z", "", name))}
            table = _by_names(netlocs, urlsplit(frontend).path, new) | table
            links = self._by_host[key] = Links(table, route.service)
        return links

    def _table(self, listener: Listener, route: Route, via: Cloud | None) -> dict[str, str]:
        ours = {**listener.cloud.services, **((via.frontends or via.services) if via else {})}
        frontend = ours[route.service]
        own = urlsplit(listener.cloud.services[route.service])
        # Services link to each other by the frontends' URLs; another listener has other URLs for the same services. But services inside
        # find the users' URLs in the catalog, and pass them on.
        table = {url: url for url in ours.values()}
        for cloud in (listener.cloud,) if listener.kind == "inside" else (self._here, listener.cloud):
            table |= {url: ours[kind] for kind, url in cloud.services.items()}
        # Services build links from the Host header: without TLS and path prefix of the proxy in front of them, or without TLS alone.
        table |= _by_names({own.netloc}, own.path, frontend)
        if not route.saved_scope:
            return table
        scoped = listener.frontends.scoped(route.saved_scope)
        inside = {
            url: new
            for inner in listener.inside.values()
            for url, new in inner.frontends.scoped(route.saved_scope).items()
        }
        return inside | {old: scoped.get(new, new) for old, new in table.items()}


def _by_names(netlocs: Collection[str], path: str, frontend: str) -> dict[str, str]:
    """A table for links that a service builds from names of its frontend: with the frontend's path, or without it."""
    return {
        f"{scheme}://{netloc}{path_}": frontend
        for netloc in netlocs
        for scheme in ("http", "https")
        for path_ in ("", path)
    }
