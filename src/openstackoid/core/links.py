"""Links in answers: the base of every absolute URL is replaced by another base.

A client must never be sent around its entry cloud, so each frontend of a peer in an answer is replaced by the
entry's frontend of the same service. `core.link_places` lists the fields with links; users' own data is not changed. `core.foreign_links`
has the additional checks for answers that cross the border between two owners.
"""

from collections.abc import Mapping
from typing import Any

from openstackoid.core import link_places as places
from openstackoid.core.bases import Bases
from openstackoid.core.link_places import Kind


class Links:
    """A table of base URLs, the longest match first.

    Args:
        table: base URL -> base URL, both as `core.catalog.base_url` writes them.
        service: official service type of the service that answers.

    Attributes:
        changes: whether any answer may be changed or refused; if not, none need be read.
    """

    def __init__(self, table: Mapping[str, str], service: str = "") -> None:
        # Unchanged bases are in the table as well, or a shorter base would match instead.
        self._bases = Bases(table)
        self._old = [old.encode() for old, new in table.items() if old != new]
        self._service = service
        self.changes = bool(self._old)

    def concern(self, body: bytes) -> bool:
        """Whether a JSON text may hold a link that changes; if not, it need not be parsed."""
        # JSON may escape a slash with a backslash.
        return b"\\/" in body or any(old in body for old in self._old)

    def url(self, url: str) -> str:
        """The URL with its base replaced; the same text if no base matches."""
        return self._bases.url(url)

    def document(self, document: Any, *, one_image: bool = False) -> Any:
        """A JSON document with its links changed in place, and returned; found by their fields, never by text.

        Args:
            document: as a JSON decoder gives it, of any shape.
            one_image: whether it is a single image (`link_places.is_one_image`).
        """
        if one_image and isinstance(document, dict):
            self._image(document)
            return document
        self._walk(document)
        if self._service == "image":
            images = document.get("images") if isinstance(document, dict) else None
            for image in images if isinstance(images, list) else [images]:
                if isinstance(image, dict):
                    self._image(image)
            if isinstance(document, list):
                self._stored_list(document)
        return document

    def _walk(self, document: Any) -> None:
        # No recursion: an untrusted author chooses the depth of a document.
        stack = [(document, places.level(self._service), False)]
        while stack:
            node, level, among = stack.pop()
            if isinstance(node, list):
                if among:
                    self._entries(node)
                stack.extend((item, level, among) for item in node if isinstance(item, (dict, list)))
            elif isinstance(node, dict):
                for key, value in node.items():
                    if isinstance(value, str):
                        kind = places.kind(self._service, key)
                        if kind is not None or among:
                            node[key] = self._value(key, value, None if among and kind is Kind.URL else kind)
                    elif isinstance(value, (dict, list)):
                        inner = level.below.get(key, level.other)
                        if inner is not None and inner.other is not None:
                            leads = places.kind(self._service, key) in {Kind.LINK, Kind.LINKS}
                            stack.append((value, inner, among or leads))

    def _image(self, image: dict[str, Any]) -> None:
        stored, nested = [], {}
        for key, value in image.items():
            kind = places.kind_in_image(key)
            if kind is Kind.STORED:
                stored.append(key)
            elif isinstance(value, (dict, list)):
                nested[key] = value  # properties are texts
            elif kind is not None and isinstance(value, str):
                image[key] = self._value(key, value, kind)
        if stored:
            self._stored(image, stored)
        if nested:
            self._walk(nested)

    def _value(self, _key: str, value: str, _kind: Kind | None) -> str:
        """Replace a text that may be a link; without a kind, the text is in a list of links."""
        return self.url(value)

    def _entries(self, entries: list[Any]) -> None:
        """Change the texts of a list of links."""
        entries[:] = [self._value("", entry, None) if isinstance(entry, str) else entry for entry in entries]

    def _stored(self, image: dict[str, Any], keys: list[str]) -> None:
        """Handle the storage locations of an image; users of this cloud see them as glance returns them."""

    def _stored_list(self, places: list[Any]) -> None:
        """Handle the answer to `GET /v2/images/ID/locations`, glance's only document whose root is a list."""
