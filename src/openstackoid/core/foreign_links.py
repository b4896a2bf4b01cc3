"""Links in answers that cross the border between two owners.

The server that answers a request decides where the client sends its token next: by a redirect, by `next`, or, for glance's clients in
nova and cinder, by the location of an image (nova copies `file://` if `allowed_direct_url_schemes` allows it). So every link in another
owner's answer must lead to this cloud's own frontends, and no link may be a storage location; and the storage locations of our own glance
are removed from answers to other owners' users.

A link is any text that a client might take for a link (RFC 3986, and WHATWG's URL standard, which drops tabs and takes a backslash for a slash):
absolute URLs, `//host`, and relative ones that would name another host when they are put behind a base (`@host`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from openstackoid.core import link_places as places
from openstackoid.core.errors import PeerLeadsAwayError
from openstackoid.core.json_text import JsonText, Node, Value
from openstackoid.core.link_places import Kind
from openstackoid.core.links import Links

# Lone surrogates: some readers drop them, others put another character in their place.
_ODD: Final = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# Relative links that stay on the host of any base; and the templates of glance's schemas, which cannot become a host's name.
_RELATIVE: Final = re.compile(r"[/?#]|\{(?:self|file|schema)\}\Z")
_HOST: Final = re.compile(r"[a-z]+://[a-z0-9.:\[\]-]{1,64}(?=[/?#]|\Z)")


class OutgoingLinks(Links):
    """Links in answers of this cloud's services to users of another owner's cloud."""

    def __init__(self, table: Mapping[str, str], service: str) -> None:
        super().__init__(table, service)
        self.changes = self.changes or service == "image"

    def concern(self, body: bytes) -> bool:
        """Whether a JSON text may hold a link that changes."""
        return super().concern(body) or (
            self._service == "image" and (b'"direct_url"' in body or b'"locations"' in body or body[:1] == b"[")
        )

    def _stored(self, document: JsonText, image: Node, indexes: Sequence[int]) -> None:
        document.remove(image, indexes)

    def _stored_list(self, document: JsonText, places: Node) -> None:
        document.remove(places, range(len(places.values)))


class IncomingLinks(Links):
    """Links in answers of another owner's cloud: none leads away from this cloud's frontends.

    Args:
        table: as for `Links`.
        service: official service type of the service that answers.
        cloud: the name of the other cloud, for messages; kept.
        frontends: official service type -> base URL of this cloud's frontend, as the client knows it.
    """

    def __init__(self, table: Mapping[str, str], service: str, cloud: str, frontends: Mapping[str, str]) -> None:
        super().__init__(table, service)
        self.cloud = cloud
        self._frontends = tuple(frontends.values())
        self._frontend = frontends.get(service)
        # The beginning of most links, which need no other check: as they come, without a look-up in the table, or changed.
        self._below = tuple(f"{url}/" for url in self._frontends)
        self._usual = tuple(f"{url}/" for url in self._frontends if table.get(url, url) == url)
        self.changes = True

    def concern(self, body: bytes) -> bool:
        """Always true: every document is checked, since JSON can write the same link in many ways."""
        return bool(body)

    def header(self, name: str, url: str) -> str:
        """The value of `Location` or `Content-Location`.

        Raises:
            PeerLeadsAwayError: it leads away.
        """
        if not url.isascii() or not url.isprintable() or " " in url:
            raise self._leads_away(name, url)
        return self._checked(name, url)

    def redirect(self, url: str) -> str:
        """The value of `Location` of a redirect: it must lead to the frontend of the same service, since clients send the same request there.

        Raises:
            PeerLeadsAwayError: it leads anywhere else.
        """
        changed = self.header("Location", url)
        frontend = self._frontend or ""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(frontend))
        whole = origin + changed if changed.startswith("/") else changed
        steps = {".", ".."} & set(unquote(whole.partition("?")[0]).split("/"))
        if not frontend or not _is_below(whole, frontend) or steps:
            raise self._leads_away("Location", url)
        return changed

    def refusal(self, what: str) -> PeerLeadsAwayError:
        """The error for an answer that leads away by its kind, such as a redirect.

        Args:
            what: as "redirect (301)".
        """
        return PeerLeadsAwayError(f"{self.cloud} answered with a {what}, which another owner's cloud may not. {_LOOK}")

    def _value(self, key: str, value: str, kind: Kind | None) -> str:
        if kind is Kind.LINK:
            return self._checked(key.casefold(), value)
        changed = self.url(value)
        # People open URLs of consoles in a browser, which sends no token.
        if kind is not Kind.URL and key.casefold() not in places.NAMES and self._is_elsewhere(changed):
            raise self._leads_away("links", value)
        return changed

    def _entries(self, document: JsonText, entries: Node) -> None:
        passing = [index for index, entry in enumerate(entries.values) if self._is_in_passing(document, entry)]
        if passing:
            document.remove(entries, passing)
        super()._entries(document, entries)

    def _is_in_passing(self, document: JsonText, entry: Value) -> bool:
        """Whether a link leads elsewhere and clients do not follow it: to documentation, or another service's copy."""
        if not isinstance(entry, Node):
            return False
        texts = [(key, document.string(value)) for key, value in entry.members()]
        relations = [text for key, text in texts if key.casefold() == "rel"]
        if not relations or not all(
            relation is not None and relation.casefold() not in places.FOLLOWED for relation in relations
        ):
            return False
        return any(
            text is not None and places.kind(self._service, key) is Kind.LINK and not self._stays(self.url(text))
            for key, text in texts
        )

    def _stored(self, document: JsonText, image: Node, indexes: Sequence[int]) -> None:
        for index, (key, value) in enumerate(image.members()):
            if index in indexes and not document.is_empty(value):
                raise self.refusal(f"place where an image is stored ({key.casefold()})")

    def _stored_list(self, document: JsonText, places: Node) -> None:  # noqa: ARG002 - the base class's
        if places.values:
            raise self.refusal("list of places where an image is stored")

    def _checked(self, name: str, url: str) -> str:
        if url.startswith(self._usual) and not _ODD.search(url):
            return url
        changed = self.url(url)
        if changed.startswith(self._below) and not _ODD.search(changed):
            return changed
        if not self._stays(changed):
            raise self._leads_away(name, url)
        return changed

    def _stays(self, url: str) -> bool:
        """Whether a link leads to a frontend."""
        if self._is_elsewhere(url):
            return False
        return not url or _RELATIVE.match(url) is not None or self._is_ours(url)

    def _is_ours(self, url: str) -> bool:
        return any(_is_below(url, frontend) for frontend in self._frontends)

    def _is_elsewhere(self, url: str) -> bool:
        """Whether a text is a URL that leads to no frontend; false for a text that is not a URL."""
        if _ODD.search(url):
            return True
        if self._is_ours(url):
            return False
        bare = url.strip()
        return "//" in bare.partition("?")[0] or _SCHEME.match(bare) is not None

    def _leads_away(self, name: str, url: str) -> PeerLeadsAwayError:
        host = _HOST.match(url)
        where = f"to {host[0]}" if host else "elsewhere"
        return PeerLeadsAwayError(
            f"{self.cloud} answered with a link ({name}) that leads {where}, and not to a frontend of this cloud. {_LOOK}"
        )


_LOOK: Final = "Nothing of the answer was passed on. Operators: a service there may be configured to link to itself by an address of its own."


def _is_below(url: str, base: str) -> bool:
    return url.startswith(base) and (len(url) == len(base) or url[len(base)] in "/?#")
