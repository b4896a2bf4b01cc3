"""How often a proof by volume is repeated: a quarter, or all of it by `make test-full`."""

import os
from typing import Final

FULL: Final = os.environ.get("OPENSTACKOID_FULL") == "1"


def volume(whole: int, part: int = 4) -> int:
    """Of the times that make a whole proof, those of this run: a quarter, or another part."""
    return whole if FULL else max(1, whole // part)
