"""Links in answers: every absolute URL that names one base leads to another.

A client must never be sent around its entry cloud, so each frontend of a peer that shows in an answer becomes the
entry's frontend of the same service. Links stand in known places of OpenStack's answers: `href`, `self`, `next`,
`previous`, `first`, `last` and a catalog's `url`; users' own data (`metadata`, `properties`, `tags`) is left as it is.
"""

from collections.abc import Mapping
from typing import Any, Final

_PLACES: Final = frozenset({"href", "self", "next", "previous", "prev", "first", "last", "url"})
_USERS_OWN: Final = frozenset({"metadata", "properties", "tags", "extra_specs", "user_data"})


class Links:
    """A table of base URLs, the longest match first.

    Args:
        table: base URL -> base URL, both as `core.catalog.base_url` writes them.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        # What stays as it is must still be found, or a shorter base would take it.
        self._table = sorted(table.items(), key=lambda pair: -len(pair[0]))
        self._old = [old.encode() for old, new in self._table if old != new]
        self.changes = bool(self._old)

    def concern(self, body: bytes) -> bool:
        """Whether a JSON text may hold a URL that changes; if not, it need not be read."""
        # JSON may write a slash with a backslash before it.
        return b"\\/" in body or any(old in body for old in self._old)

    def url(self, url: str) -> str:
        """The URL behind the other base; the same text if no base fits it."""
        for old, new in self._table:
            if url.startswith(old) and (len(url) == len(old) or url[len(old)] in "/?#"):
                return new + url[len(old) :]
        return url

    def document(self, document: Any) -> Any:
        """A JSON document with its links changed in place, and returned; found by their fields, never by text."""
        stack = [document]
        while stack:
            node = stack.pop()
            if isinstance(node, list):
                stack.extend(item for item in node if isinstance(item, (dict, list)))
            elif isinstance(node, dict):
                for key, value in node.items():
                    if isinstance(value, str):
                        if key in _PLACES and value.startswith("http"):
                            node[key] = self.url(value)
                    elif isinstance(value, (dict, list)) and key not in _USERS_OWN:
                        stack.append(value)
        return document
