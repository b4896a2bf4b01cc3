"""Where a server listens if nothing else is said, and where its user's calls go: known to both, and light."""

import os


def default_address() -> str:
    """A Unix socket that only its user can reach."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/oaktree-{os.getuid()}"  # noqa: S108 - made with mode 700, refused if it is somebody else's
    return f"unix:{folder}/oaktree.sock"
