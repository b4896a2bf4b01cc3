"""The global request id: `req-` and a UUID in lower case, as all services of OpenStack make it, and the only form that they accept.

oslo.middleware silently drops ids of another form (`request_id.py`, ID_FORMAT). So does every part of OpenStackoid: a free-form id from a client
would get into the audit, headers and other clouds' logs, with any length and any characters.
"""

import re
from typing import Final

UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # in the syntax that HAProxy's regular expressions share
PATTERN: Final = f"req-{UUID}"
_WHOLE: Final = re.compile(PATTERN)


def is_request_id(text: str) -> bool:
    """Whether the whole text is a request id."""
    return _WHOLE.fullmatch(text) is not None
