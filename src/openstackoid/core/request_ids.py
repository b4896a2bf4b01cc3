"""The global request id: `req-` and a UUID in lower case, as all services of OpenStack make it, and the only form that they accept.

oslo.middleware drops another one in silence (`request_id.py`, ID_FORMAT). So does everything here: an id of a client's own making
would stand in the audit, in headers and in other clouds' logs, as long and as odd as the client likes.
"""

import re
from typing import Final

UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # as HAProxy, too, reads regular expressions
PATTERN: Final = f"req-{UUID}"
_WHOLE: Final = re.compile(PATTERN)


def is_request_id(text: str) -> bool:
    """Whether a text is a request id, whole."""
    return _WHOLE.fullmatch(text) is not None
