"""Internal errors of oaktree: the caller gets only a status, the log gets the location in the code."""

import logging
import traceback
from pathlib import Path
from typing import Final

from openstackoid.oaktree.masking import clean

_LOG: Final = logging.getLogger(__name__)
_FRAMES: Final = 8  # the innermost frames of a traceback


def log(error: BaseException) -> None:
    """Log an unexpected error: its type, and the location in the code. Its message may contain anything, and is masked like foreign text."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    _LOG.error("oaktree failed: %s: %s; at %s", type(error).__name__, clean(error), places or "an unknown place")
