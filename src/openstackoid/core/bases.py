"""A table of base URLs whose look-up time does not grow with its size: a peer chooses its number of services, and a list holds thousands of links."""

import re
from collections.abc import Mapping
from typing import Final

# Scheme and authority end where path, query or fragment begin (RFC 3986, 3).
_ORIGIN: Final = re.compile(r"[a-z]++://[^/?#]*+")
_ENDS: Final = "/?#"


class Bases:
    """Maps base URLs to base URLs; the longest matching base wins.

    Args:
        table: base URL -> base URL, both as `core.catalog.base_url` writes them.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        # Scheme and authority -> the lengths of the bases there, the longest first.
        self._lengths: dict[str, list[int]] = {}
        self._table = dict(table)
        for base in table:
            if match := _ORIGIN.match(base):
                lengths = self._lengths.setdefault(match[0], [])
                if len(base) not in lengths:
                    lengths.append(len(base))
        for lengths in self._lengths.values():
            lengths.sort(reverse=True)

    def url(self, url: str) -> str:
        """The URL with its base replaced; the same text if no base matches."""
        match = _ORIGIN.match(url)
        for length in self._lengths.get(match[0], ()) if match else ():
            if length == len(url) or (length < len(url) and url[length] in _ENDS):
                new = self._table.get(url[:length])
                if new is not None:
                    return new + url[length:]
        return url
