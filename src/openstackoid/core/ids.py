"""Ids of projects and users in requests and answers: found by their fields, never by text.

A user of another cloud has one id at home and another id here. At the border requests get the local id, and answers the id
of home. Users' own data is never changed, even if it holds the same id: metadata, tags, names, descriptions,
properties of images, templates, objects. Ids of other projects and users stay as they are, and so do the texts of errors.

`core.id_places` lists the fields with ids, and docs/explanation/ids.md explains them.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

from openstackoid.core import id_places as places
from openstackoid.core.id_places import Kind, Level
from openstackoid.core.json_text import JsonText, Node, Value

_AUTHORITY: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_MOST_PLACES: Final = 100_000  # in one document: its author must not choose how much memory they take
_ACCOUNT: Final = "AUTH_"  # swift's and radosgw's default prefix of a project's account


class Ids:
    """A mapping of ids, in one direction.

    The inverse is another object, with the pairs swapped. It is a true inverse only if no two ids map to the same id, and no
    other project or user has an id that is the result of the mapping.

    Args:
        projects: id of a project -> the id that takes its place.
        users: the same for users.
    """

    def __init__(self, projects: Mapping[str, str], users: Mapping[str, str] = {}) -> None:
        self._tables = tuple(
            {old: new for old, new in table.items() if old and old != new} for table in (projects, users)
        )
        self._old = tuple(old for table in self._tables for old in table)
        # An id that JSON can write in several ways cannot be searched for in its text.
        self._plain = all(
            old.isascii() and "/" not in old and encode_basestring_ascii(old) == f'"{old}"' for old in self._old
        )
        self._bytes = tuple(old.encode("utf-8", "surrogatepass") for old in self._old)

    @property
    def changes(self) -> bool:
        """Whether the mapping changes any id."""
        return bool(self._old)

    def concerns(self, body: bytes) -> bool:
        """Whether a JSON text may hold an id that changes; if not, it need not be read.

        Args:
            body: JSON in UTF-8. Text in which ASCII characters are escaped may hold anything.
        """
        if not self._old:
            return False
        escaped = b"\\" in body and b"\\u00" in body  # a single byte is found much faster than a text
        return not self._plain or escaped or any(old in body for old in self._bytes)

    def target(self, service: str, target: str) -> str:
        """Path and query of a request with ids changed; all the rest is the same, to the byte.

        Args:
            service: official service type.
            target: path and query inside the service, percent-encoded.
        """
        if not self._may_hold(target):
            return target
        if service == "object-store":
            return self._account(target)[0]
        return self._target(target, _query_of(service))

    def request(self, service: str, document: JsonText) -> None:
        """Change the JSON body of a request; a document of any shape is taken.

        Args:
            service: official service type.
            document: changed in place.
        """
        if not self._old:
            return
        root = document.root
        if service in places.PATCHED and isinstance(root, Node) and root.keys is None:
            self._patch(document, root, places.PATCHED[service])
        elif service == "image":
            self._image(document)
        else:
            self._walk(document, places.SERVICES.get(service, places.GENERIC).request, {})

    def answer(self, service: str, document: JsonText) -> None:
        """Change the JSON body of an answer, with the links in it; any shape is taken.

        Args:
            service: official service type.
            document: changed in place.
        """
        if not self._old:
            return
        if service == "image":
            self._image(document, links=True)
        else:
            known = places.SERVICES.get(service, places.GENERIC)
            self._walk(document, known.answer, known.query)

    def url(self, url: str) -> str:
        """A URL, absolute or not, with ids in its path and in known query parameters changed: `Location`, or a link."""
        return self._url(url, places.EVERY_QUERY)

    def _may_hold(self, text: str) -> bool:
        """Whether a URL may hold an id that changes, and has to be parsed."""
        return bool(self._old) and ("%" in text or any(old in text for old in self._old))

    def _places(self, text: bytes) -> list[int] | None:
        """Where a JSON text may hold an id that changes, also escaped or percent-encoded, in order; None: anywhere."""
        if not self._plain:
            return None
        found: list[int] = []
        for needle in (*self._bytes, b"%", b"\\u00"):
            at = text.find(needle)
            while at >= 0:
                found.append(at)
                if len(found) > _MOST_PLACES:
                    return None
                at = text.find(needle, at + 1)
        return sorted(found)

    def _url(self, url: str, query: Mapping[str, Kind]) -> str:
        if not self._may_hold(url):
            return url
        match = _AUTHORITY.match(url)
        start = match.end() if match else 0
        target, fragment_mark, fragment = url[start:].partition("#")
        target, mapped = self._account(target)
        if not mapped:
            target = self._target(target, query)
        return url[:start] + target + fragment_mark + fragment

    def _account(self, target: str) -> tuple[str, bool]:
        """A target with swift's account changed, and whether there is one; what follows it are users' names."""
        path, mark, query = target.partition("?")
        segments = path.split("/")
        for index, segment in enumerate(segments):
            if segment in places.NAMES_FOLLOW:
                break
            if segment.startswith(_ACCOUNT):
                new = self._tables[Kind.PROJECT].get(unquote(segment[len(_ACCOUNT) :]))
                if new is not None:
                    segments[index] = _ACCOUNT + quote(new, safe="")
                    target = "/".join(segments) + mark + query
                return target, True
        return target, False

    def _target(self, target: str, known: Mapping[str, Kind]) -> str:
        path, mark, query = target.partition("?")
        path = self._path(path)
        return path + mark + self._query(query, known) if mark else path

    def _path(self, path: str) -> str:
        projects, users = self._tables
        segments = path.split("/")
        before = ""
        for index, segment in enumerate(segments):
            if segment in places.NAMES_FOLLOW:
                break
            text = unquote(segment) if "%" in segment else segment
            # neutron takes a format at the end of a path, and its clients add it
            bare = text.removesuffix(".json")
            first, second = (users, projects) if before == "users" else (projects, users)
            new = first.get(bare, second.get(bare))
            if new is not None:
                segments[index] = quote(new, safe="") + text[len(bare) :]
            before = segment
        return "/".join(segments)

    def _query(self, query: str, known: Mapping[str, Kind]) -> str:
        # Comparison operators in queries (`in:`, `gt:`, `~`, `__contains`) are for names and times: no service has them for ids.
        pairs = query.split("&")
        for index, pair in enumerate(pairs):
            name, mark, value = pair.partition("=")
            kind = known.get(unquote_plus(name))
            if kind is not None:
                new = self._tables[kind].get(unquote_plus(value))
                if new is not None:
                    pairs[index] = name + mark + quote(new, safe="")
        return "&".join(pairs)

    def _change(self, document: JsonText, node: Node, fields: Mapping[str, Kind]) -> None:
        """Change the known fields of one flat object."""
        for key, value in node.members():
            kind = fields.get(key)
            if kind is not None:
                self._map(document, value, kind)

    def _map(self, document: JsonText, value: Value, kind: Kind) -> None:
        table = self._tables[kind]
        document.replace(value, lambda old: table.get(old, old))

    def _walk(self, document: JsonText, root: Level, query: Mapping[str, Kind]) -> None:
        # No recursion: an untrusted author chooses the depth of a document.
        stack: list[tuple[Value, Level]] = [(document.root, root)]
        places_of_ids = self._places(document.raw(document.root)) if isinstance(document.root, Node) else []
        first = document.root.start if isinstance(document.root, Node) else 0
        while stack:
            node, level = stack.pop()
            if not isinstance(node, Node):
                continue
            if places_of_ids is not None:
                # Most objects and lists of a document have none: nobody looks at their fields.
                index = bisect_left(places_of_ids, node.start - first)
                if index == len(places_of_ids) or places_of_ids[index] >= node.end - first:
                    continue
            if node.keys is None:
                stack.extend((item, level) for item in node.values if isinstance(item, Node))
                continue
            fields, below, other = level.fields, level.below, level.other
            for key, value in node.members():
                if isinstance(value, Node):
                    kind = fields.get(key, Kind.LINK)
                    if value.keys is None and kind is not Kind.LINK:
                        for item in value.values:
                            self._map(document, item, kind)
                    inner = below.get(key, other)
                    if inner is not None:
                        stack.append((value, inner))
                elif key in fields:
                    kind = fields[key]
                    if kind is Kind.LINK:
                        document.replace(value, lambda url: self._url(url, query))
                    else:
                        self._map(document, value, kind)

    def _image(self, document: JsonText, *, links: bool = False) -> None:
        root = document.root
        if not isinstance(root, Node) or root.keys is None:
            return
        if set(root.keys) == {"member"}:
            # The whole body of `POST /v2/images/ID/members`.
            self._change(document, root, {"member": Kind.PROJECT})
            return
        lists = [
            value
            for key, value in root.members()
            if key in places.IMAGE_LISTS and isinstance(value, Node) and value.keys is None
        ]
        if not lists:
            self._image_object(document, root)
            return
        for items in lists:
            for item in items.values:
                if isinstance(item, Node):
                    self._image_object(document, item)
        for key, value in root.members():
            if links and key in places.IMAGE_LINKS:
                document.replace(value, lambda url: self._url(url, places.IMAGE_QUERY))

    def _image_object(self, document: JsonText, node: Node) -> None:
        schema, image_type = (
            (document.string(value) if (value := node.get(key)) else None) or "" for key in ("schema", "image_type")
        )
        if schema in places.IMAGE_SCHEMA_FIELDS:
            self._change(document, node, places.IMAGE_SCHEMA_FIELDS[schema])
        elif image_type in places.SNAPSHOTS:
            self._change(document, node, places.SNAPSHOT_FIELDS)
        else:
            self._change(document, node, places.IMAGE_FIELDS)

    def _patch(self, document: JsonText, operations: Node, fields: Mapping[str, Kind]) -> None:
        for operation in operations.values:
            if not isinstance(operation, Node):
                continue
            # In glance's older form the operation is the key of the path: {"replace": "/owner", "value": ...}.
            paths = [
                document.string(value) or "" for key, value in operation.members() if key in {"path", "replace", "add"}
            ]
            kind = next((fields[path] for path in paths if path in fields), None)
            if kind is not None:
                self._change(document, operation, {"value": kind})


def both_ways(projects: Mapping[str, str], user: str, other: str) -> tuple[Ids, Ids]:
    """The mapping of the ids of one user's requests, and its inverse for the answers.

    Args:
        projects: id of a project -> the id that takes its place; ids do not repeat on either side.
        user: id of the user.
        other: the id that takes its place.
    """
    if len(projects) == 1:
        ((project, there),) = projects.items()
        return _of_one(project, there, user, other)
    return Ids(projects, {user: other}), Ids({there: here for here, there in projects.items()}, {other: user})


@lru_cache(maxsize=1024)  # a user sends many requests in one project
def _of_one(project: str, there: str, user: str, other: str) -> tuple[Ids, Ids]:
    return Ids({project: there}, {user: other}), Ids({there: project}, {other: user})


def _query_of(service: str) -> Mapping[str, Kind]:
    if service == "image":
        return places.IMAGE_QUERY
    return places.SERVICES.get(service, places.GENERIC).query
