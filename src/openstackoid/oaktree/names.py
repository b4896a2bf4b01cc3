"""Validates ids and names of requests that become part of a URL path: openstacksdk does not quote them. Pure."""

import re
from typing import Final

from openstackoid.oaktree import errors

_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[^/\\?#%\x00-\x1f\x7f]{1,255}")


def fits(value: str) -> bool:
    """Whether a value is a single path segment under every normalisation."""
    return _SEGMENT.fullmatch(value) is not None


def segment(name: str, value: str) -> str:
    """Validate a field's value that becomes a path segment. Returns the value.

    Raises:
        errors.InvalidError: the value could be more than one segment.
    """
    if not fits(value):
        raise errors.invalid(name, "expected 1 to 255 characters, none of them / \\ ? # % or a control character")
    return value
