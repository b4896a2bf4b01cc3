"""A progress line on the terminal, which is removed at the end. Shows nothing if standard error is no terminal."""

import shutil
import sys
from types import TracebackType
from typing import Final, Self, TextIO

from openstackoid.output import printable

_CLEAR: Final = "\r\x1b[K"


class Progress:
    """The progress line."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        """Prepare; shows nothing yet.

        Args:
            stream: the output stream; standard error by default.
            quiet: show nothing at all.
        """
        self._stream: Final = stream or sys.stderr
        self._shows: Final = not quiet and self._stream.isatty()
        self._there = False

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._shows:
            width = shutil.get_terminal_size().columns
            self._stream.write(_CLEAR + printable(text)[: width - 1])
            self._stream.flush()
            self._there = True

    def clear(self) -> None:
        """Remove the line, before other output."""
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
