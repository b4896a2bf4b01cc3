"""The target of a request: a path, or a whole URL, as a client writes it for a proxy (RFC 9112, 3.2.2). Pure."""

import re
from typing import Final

from openstackoid.core.errors import BadRequestError

# A user before the host is refused (RFC 9110, 4.2.4): readers differ in what they take for the host.
_ABSOLUTE: Final = re.compile(
    r"https?://([A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?)(?=[/?]|\Z)",
    re.IGNORECASE,
)


def split_target(target: str) -> tuple[str, str | None]:
    """Path and query of a target, and the host that it names; None if it names none.

    Args:
        target: as it arrived.

    Raises:
        BadRequestError: neither a path nor an http(s) URL.
    """
    if target.startswith("/"):
        return target, None
    match = _ABSOLUTE.match(target)
    if match is None:
        raise BadRequestError("Expected a path that begins with /, or a URL.")
    rest = target[match.end() :]
    return rest if rest.startswith("/") else f"/{rest}", match[1]
