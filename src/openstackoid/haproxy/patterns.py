"""Regular expressions (PCRE2) that rules of several kinds share, without backslashes, which HAProxy's reader takes for its own. Pure."""

import re
from typing import Final

from openstackoid.core.request_ids import UUID

BEFORE: Final = "/v2/images/"
AFTER: Final = "/file"
# Bodies that no service reads as a form: a form could change the request's method.
RAW: Final = "^application/(?:octet-stream|json)$"
# The form in which glance makes ids of images. Requests with another spelling go to the gateway.
_IMAGE: Final = re.compile(UUID + r"\Z")


def is_image(text: str) -> bool:
    """Whether a text is an image's id in the form that may bypass the gateway."""
    return _IMAGE.match(text) is not None


def image_data(prefix: str) -> str:
    """The exact target of an image's data, below a prefix, without a query."""
    return f"^{literal(prefix)}{BEFORE}{UUID}{AFTER}$"


def literal(text: str) -> str:
    """A regular expression that matches exactly this text."""
    return "".join(character if character.isalnum() or character == "/" else f"[{character}]" for character in text)


def other_than(names: str) -> str:
    """All names of headers except these alternatives, for `del-header` where only known headers may pass."""
    return f"^(?!(?:{names})$)"
