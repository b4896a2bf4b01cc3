"""The stages of one cloud's part of an operation; the same numbers as `oaktree.v1.Stage`. Pure.

ACCEPTED -> SENT      recorded before the request is sent
ACCEPTED -> CANCELLED it was never sent
SENT -> CREATED, DONE it was created; and is complete
SENT -> FAILED        certainly nothing was created
SENT -> UNKNOWN       no certainty yet: it is looked up until there is
CREATED -> UNDONE     it was deleted again
"""

from enum import IntEnum
from typing import Final


class Stage(IntEnum):
    """The progress of a part."""

    ACCEPTED = 1
    SENT = 2
    CREATED = 3
    DONE = 4
    FAILED = 5
    UNDONE = 6
    UNKNOWN = 7
    CANCELLED = 8


UNSENT: Final = frozenset({Stage.ACCEPTED, Stage.CANCELLED})
OPEN: Final = frozenset({Stage.SENT, Stage.UNKNOWN})
MADE: Final = frozenset({Stage.CREATED, Stage.DONE})
