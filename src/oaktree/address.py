"""Where an oaktree listens for its user, if nothing else is configured."""

import os
import stat
from pathlib import Path


def default_address() -> str:
    """A Unix socket that only its user can reach."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/oaktree-{os.getuid()}"  # noqa: S108 - made with mode 700, refused if it is somebody else's
    return f"unix:{folder}/oaktree.sock"


def check_owner(address: str) -> None:
    """Refuse a socket at the default address that another user has put there: it would hear what only our oaktree should.

    Raises:
        ValueError: it belongs to another user.
    """
    path = Path(address.removeprefix("unix:"))
    try:
        found = path.stat()
    except OSError:
        return  # nobody listens: the call says so
    if stat.S_ISSOCK(found.st_mode) and found.st_uid not in (os.getuid(), 0):
        raise ValueError(
            f"{path} belongs to another user: nothing was sent. Name it as the target if that is what you want"
        )
