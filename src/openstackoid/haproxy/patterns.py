"""Regular expressions (PCRE2) that rules of several kinds share, without backslashes, which HAProxy's reader takes for its own. Pure."""

import re
from typing import Final

from openstackoid.core.request_ids import UUID

BEFORE: Final = "/v2/images/"
AFTER: Final = "/file"
# Bodies that no service reads as a form, which could say that the request is another one.
RAW: Final = "^application/(?:octet-stream|json)$"
# As glance makes ids of images. Another spelling of the same is the gateway's.
_IMAGE: Final = re.compile(UUID + r"\Z")


def is_image(text: str) -> bool:
    """Whether a text is an image's id, as it goes straight."""
    return _IMAGE.match(text) is not None


def image_data(prefix: str) -> str:
    """The target of an image's data, below a prefix: letter by letter, without a query."""
    return f"^{literal(prefix)}{BEFORE}{UUID}{AFTER}$"


def literal(text: str) -> str:
    """A text as a regular expression that means itself."""
    return "".join(each if each.isalnum() or each == "/" else f"[{each}]" for each in text)


def other_than(names: str) -> str:
    """All names of headers but these alternatives: what `del-header` takes out where only what is known may pass."""
    return f"^(?!(?:{names})$)"
