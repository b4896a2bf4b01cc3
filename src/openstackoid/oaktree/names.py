"""Ids and names from the wire that become part of a path: openstacksdk puts them there as they are. Pure."""

import re
from typing import Final

from openstackoid.oaktree import errors

_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[^/\\?#%\x00-\x1f\x7f]{1,255}")


def fits(value: str) -> bool:
    """Whether it is one segment of a path, whatever is done with it."""
    return _SEGMENT.fullmatch(value) is not None


def segment(name: str, value: str) -> str:
    """The value of a field, which becomes part of a path.

    Raises:
        errors.InvalidError: it could be more than one segment.
    """
    if not fits(value):
        raise errors.invalid(name, "expected 1 to 255 characters, none of them / \\ ? # % or a control character")
    return value
