"""How far something is, on one line of the terminal that goes when it is done. Nothing where standard error is none."""

import shutil
import sys
from types import TracebackType
from typing import Final, Self, TextIO

from openstackoid.output import printable

_CLEAR: Final = "\r\x1b[K"


class Progress:
    """The line."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        """Show nothing yet.

        Args:
            stream: where to; standard error if not given.
            quiet: show nothing at all.
        """
        self._stream: Final = stream or sys.stderr
        self._shows: Final = not quiet and self._stream.isatty()
        self._there = False

    def show(self, text: str) -> None:
        """Replace what is shown."""
        if self._shows:
            width = shutil.get_terminal_size().columns
            self._stream.write(_CLEAR + printable(text)[: width - 1])
            self._stream.flush()
            self._there = True

    def clear(self) -> None:
        """Before something else is written."""
        if self._there:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._there = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
