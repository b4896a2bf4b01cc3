"""Faults of oaktree's own: callers learn that there was one, and the log where."""

import logging
import traceback
from pathlib import Path
from typing import Final

from openstackoid.oaktree.masking import clean

_LOG: Final = logging.getLogger(__name__)
_FRAMES: Final = 8  # of a traceback, the innermost


def log(error: BaseException) -> None:
    """Log an error that nobody expected: its type, and where it came from. What it says may hold anything, and is shown as foreign text is."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in reversed(frames))
    _LOG.error("oaktree failed: %s: %s; at %s", type(error).__name__, clean(error), places or "an unknown place")
