"""Links in answers: the base of every absolute URL is replaced by another base.

A client must never be sent around its entry cloud, so each frontend of a peer in an answer is replaced by the
entry's frontend of the same service. `core.link_places` lists the fields with links; users' own data is not changed. `core.foreign_links`
has the additional checks for answers that cross the border between two owners.
"""

from collections.abc import Mapping, Sequence

from openstackoid.core import link_places as places
from openstackoid.core.bases import Bases
from openstackoid.core.json_text import JsonText, Node, Value
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
        # A single byte is searched for at 50 times the speed of a text, and many documents have no slash.
        if b"/" not in body:
            return False
        # JSON may escape a slash with a backslash.
        return (b"\\" in body and b"\\/" in body) or any(old in body for old in self._old)

    def url(self, url: str) -> str:
        """The URL with its base replaced; the same text if no base matches."""
        return self._bases.url(url)

    def document(self, document: JsonText, *, one_image: bool = False) -> None:
        """Change the links of a JSON document; found by their fields, never by text.

        Args:
            document: of any shape, changed in place.
            one_image: whether it is a single image (`link_places.is_one_image`).
        """
        root = document.root
        if not isinstance(root, Node):
            return
        if one_image and root.keys is not None:
            self._image(document, root)
            return
        self._walk(document, root)
        if self._service != "image":
            return
        if root.keys is None:
            self._stored_list(document, root)
        for key, value in root.members():
            if key == "images" and isinstance(value, Node):
                for image in value.values if value.keys is None else (value,):
                    if isinstance(image, Node) and image.keys is not None:
                        self._image(document, image)

    def _walk(self, document: JsonText, root: Node) -> None:
        # No recursion: an untrusted author chooses the depth of a document.
        stack = [(root, places.level(self._service), False)]
        kinds: dict[str, Kind | None] = {}  # the keys of a list's items are the same
        while stack:
            node, level, among = stack.pop()
            if node.keys is None:
                if among:
                    self._entries(document, node)
                stack.extend((item, level, among) for item in node.values if isinstance(item, Node))
                continue
            for key, value in node.members():
                if key in kinds:
                    kind = kinds[key]
                else:
                    kind = kinds[key] = places.kind(self._service, key)
                if isinstance(value, Node):
                    inner = level.below.get(key, level.other)
                    if inner is not None and inner.other is not None:
                        stack.append((value, inner, among or kind is Kind.LINK or kind is Kind.LINKS))
                elif kind is not None or among:
                    self._link(document, key, value, None if among and kind is Kind.URL else kind)

    def _image(self, document: JsonText, image: Node) -> None:
        """Change the links of an image: of the fields that glance reserves, and below properties that are no texts."""
        stored, nested = [], Node(image.start, [])
        for index, (key, value) in enumerate(image.members()):
            kind = places.kind_in_image(key)
            if kind is Kind.STORED:
                stored.append(index)
            elif isinstance(value, Node):
                nested.add(key, value)
            elif kind is not None:
                self._link(document, key, value, kind)
        if stored:
            self._stored(document, image, stored)
        if nested.values:
            self._walk(document, nested)

    def _link(self, document: JsonText, key: str, value: Value, kind: Kind | None) -> None:
        document.replace(value, lambda url: self._value(key, url, kind))

    def _value(self, _key: str, value: str, _kind: Kind | None) -> str:
        """Replace a text that may be a link; without a kind, the text is in a list of links."""
        return self.url(value)

    def _entries(self, document: JsonText, entries: Node) -> None:
        """Change the texts of a list of links."""
        for entry in entries.values:
            self._link(document, "", entry, None)

    def _stored(self, document: JsonText, image: Node, indexes: Sequence[int]) -> None:
        """Handle the storage locations of an image; users of this cloud see them as glance returns them."""

    def _stored_list(self, document: JsonText, places: Node) -> None:
        """Handle the answer to `GET /v2/images/ID/locations`, glance's only document whose root is a list."""
