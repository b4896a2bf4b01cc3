"""A table of base URLs, looked up in steps that do not grow with it: a peer says how many services it has, and a list holds thousands of links."""

import re
from collections.abc import Mapping
from typing import Final

# Scheme and authority end where path, query or fragment begin (RFC 3986, 3).
_ORIGIN: Final = re.compile(r"[a-z]++://[^/?#]*+")
_ENDS: Final = "/?#"


class Bases:
    """Which base becomes which; the longest that fits.

    Args:
        table: base URL -> base URL, both as `core.catalog.base_url` writes them.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        # Scheme and authority -> the lengths of the bases there, the longest first.
        self._lengths: dict[str, list[int]] = {}
        self._table = dict(table)
        for base in table:
            if found := _ORIGIN.match(base):
                lengths = self._lengths.setdefault(found[0], [])
                if len(base) not in lengths:
                    lengths.append(len(base))
        for lengths in self._lengths.values():
            lengths.sort(reverse=True)

    def url(self, url: str) -> str:
        """The URL behind the other base; the same text if no base fits it."""
        found = _ORIGIN.match(url)
        for length in self._lengths.get(found[0], ()) if found else ():
            if length == len(url) or (length < len(url) and url[length] in _ENDS):
                new = self._table.get(url[:length])
                if new is not None:
                    return new + url[length:]
        return url
