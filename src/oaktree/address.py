"""The default address on which an oaktree listens for its user."""

import os
import stat
from pathlib import Path


def default_address() -> str:
    """A Unix socket that only its user can reach."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/oaktree-{os.getuid()}"  # noqa: S108 - made with mode 700, refused if another user owns it
    return f"unix:{folder}/oaktree.sock"


def check_owner(address: str) -> None:
    """Refuse a socket of another user at the default address: that user would receive the caller's requests.

    Raises:
        ValueError: the socket belongs to another user.
    """
    path = Path(address.removeprefix("unix:"))
    try:
        found = path.stat()
    except OSError:
        return  # there is no socket: the call will fail with its own error
    if stat.S_ISSOCK(found.st_mode) and found.st_uid not in (os.getuid(), 0):
        raise ValueError(
            f"{path} belongs to another user: nothing was sent. Name it as the target if that is what you want"
        )
