"""Pages of a list of several clouds: the marker of a page, the query for each cloud, and the link to the next page. Pure.

A position in such a list is one item of each cloud, the last item that was returned (`core.merging`). A link to the next page has all these
items in its marker:

    clouds:1:eNqrVkpUsqpWSlayUkpKUqqtBQAhTQRw     base64url(zlib(JSON))
    {"after": {"CloudOne": ID, "CloudTwo": ID}, "ended": ["CloudThree"]}

A cloud in neither field is read from its beginning: a cloud that did not answer for the last page joins when it is back. A client may
also send only the last item's id, as openstacksdk does if it finds no link.

No id of OpenStack's has a colon: keypairs, whose marker is a name, may not have one (nova/api/validation/parameter_types.py).
"""

import base64
import binascii
import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from openstackoid.core.errors import MarkerError
from openstackoid.core.lists import Listing, NextLink, Paging
from openstackoid.core.scope import is_name

LONGEST: Final = 4096  # characters of a marker: it is part of a URL, and servers accept URLs of 8 KiB
PREFIX: Final = "clouds:1:"
_UNPACKED: Final = 1 << 16  # bytes of JSON
MAX_ID: Final = 255  # characters of an item's id
_PAGE: Final = ("limit", "marker", "offset")

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Positions:
    """A position in a list of several clouds.

    Attributes:
        after: cloud -> id of its last item that was returned.
        ended: clouds that have no more items.
    """

    after: Mapping[str, str] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()

    def text(self) -> str | None:
        """The marker; None if it is too long for a URL: then the last item's id is the marker."""
        document = {"after": dict(sorted(self.after.items())), "ended": sorted(self.ended)}
        packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)
        text = PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")
        return text if len(text) <= LONGEST else None

    @classmethod
    def parse(cls, text: str) -> "Positions":
        """Read a marker that a client sent.

        Raises:
            MarkerError: the text is not such a marker.
        """
        try:
            document = json.loads(_unpacked(text))
            after, ended = document["after"], document["ended"]
            names = [*after, *ended]
            good = (
                isinstance(after, dict)
                and isinstance(ended, list)
                and all(isinstance(name, str) and is_name(name) for name in names)
                and all(isinstance(value, str) and 0 < len(value) <= MAX_ID for value in after.values())
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            good = False
        if not good:
            raise MarkerError(
                "Expected a marker of a page of several clouds, as it stands in the link to the next page."
            )
        return cls(after, frozenset(ended))


def are_markers(ids: Collection[str]) -> bool:
    """Whether the ids of items can be markers: longer ones are in no position, and a lone surrogate is in no URL."""
    text = "".join(ids)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    lengths = set(map(len, ids))
    return 0 not in lengths and max(lengths, default=0) <= MAX_ID


def is_positions(marker: str) -> bool:
    """Whether a marker is a position in a list of several clouds, by its prefix."""
    return marker.startswith("clouds:")


def _unpacked(text: str) -> bytes:
    if not text.startswith(PREFIX) or len(text) > LONGEST:
        raise ValueError
    body = text.removeprefix(PREFIX)
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        stream = zlib.decompressobj()
        unpacked = stream.decompress(packed, _UNPACKED)
    except (binascii.Error, zlib.error) as error:
        raise ValueError from error
    if not stream.eof or stream.unused_data:
        raise ValueError
    return unpacked


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list that a query requests.

    Attributes:
        limit: items at most; None if there is no bound.
        marker: as it arrived.
        offset: number of items to skip.
        rest: the query without these parameters.
    """

    limit: int | None
    marker: str | None
    offset: int
    rest: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, listing: Listing, query: str) -> "Window":
        """Read a query. A limit or an offset that is not a number stays in the query: the clouds report the error."""
        pairs = parse_qsl(query, keep_blank_values=True)
        given = {name: value for name, value in pairs if name in _PAGE}
        bad = {name for name in ("limit", "offset") if name in given and not _is_count(given[name])}
        limit = int(given["limit"]) if "limit" in given and not bad and _pages(listing) else None
        return cls(
            None if limit == 0 and listing.zero_is_all else limit,
            given.get("marker") if listing.paging is Paging.MARKER else None,
            int(given["offset"]) if "offset" in given and not bad and _pages(listing) else 0,
            tuple(pair for pair in pairs if pair[0] not in _PAGE or (pair[0] in bad) or _refused(listing, pair[0])),
        )

    def asked(self, listing: Listing, after: str | None, limit: int | None) -> str:
        """The query for one cloud.

        Args:
            listing: of the list.
            after: id of the last item of this cloud that was returned.
            limit: maximum number of items to request.
        """
        pairs = list(self.rest)
        if listing.paging is Paging.OFFSET:
            pairs.append(("limit", "0"))
        elif listing.paging is Paging.MARKER:
            if limit is not None:
                pairs.append(("limit", str(limit)))
            if after is not None:
                pairs.append(("marker", after))
        return urlencode(pairs)

    def next_query(self, marker: str) -> str:
        """The query of the next page."""
        pairs = [*self.rest, *([("limit", str(self.limit))] if self.limit is not None else []), ("marker", marker)]
        return urlencode(pairs)

    def first_query(self) -> str:
        """The query of the first page."""
        return urlencode([*self.rest, *([("limit", str(self.limit))] if self.limit is not None else [])])


def has_next(listing: Listing, document: Mapping[str, Any]) -> bool:
    """Whether a cloud's answer links to a next page. The value may be any JSON."""
    if listing.paging is not Paging.MARKER:
        return False
    match listing.next_link:
        case NextLink.FIELD:
            return bool(document.get("next"))
        case NextLink.OBJECT:
            links = document.get("links")
            return bool(document.get("truncated")) or (isinstance(links, dict) and bool(links.get("next")))
        case NextLink.NAMED | NextLink.LINKS:
            links = document.get(f"{listing.items}_links" if listing.next_link is NextLink.NAMED else "links")
            return isinstance(links, list) and any(
                isinstance(link, dict) and link.get("rel") == "next" for link in links
            )
        case NextLink.NONE:
            return False


def linked(
    listing: Listing, document: Mapping[str, Any], path: str, base: str, window: Window, marker: str | None
) -> dict[str, Any]:
    """A cloud's document with the links of the merged page.

    Args:
        listing: of the list.
        document: the answer of one of the clouds, without its items.
        path: of the list, as clients call it.
        base: base URL of the service, as clients call it.
        window: the requested part of the list.
        marker: of the next page; None if this is the last one.
    """
    kept = dict(document)
    query = window.next_query(marker) if marker is not None else None
    match listing.next_link:
        case NextLink.FIELD:
            kept.pop("next", None)
            first = window.first_query()
            kept["first"] = f"{path}?{first}" if first else path
            if query is not None:
                kept["next"] = f"{path}?{query}"
        case NextLink.OBJECT:
            kept.pop("truncated", None)
            kept["links"] = {
                "next": f"{base}{path}?{query}" if query is not None else None,
                "self": f"{base}{path}",
                "previous": None,
            }
        case NextLink.NAMED | NextLink.LINKS:
            name = f"{listing.items}_links" if listing.next_link is NextLink.NAMED else "links"
            kept.pop(name, None)
            if query is not None:
                kept[name] = [{"rel": "next", "href": f"{base}{path}?{query}"}]
        case NextLink.NONE:
            pass
    return kept


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len("2147483647")


def _pages(listing: Listing) -> bool:
    return listing.paging in {Paging.MARKER, Paging.OFFSET}


def _refused(listing: Listing, name: str) -> bool:
    """Whether the query requests a page of a list without pages: the cloud ignores that, or refuses it."""
    return listing.paging is Paging.NONE and name in _PAGE
