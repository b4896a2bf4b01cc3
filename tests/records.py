"""Files to which another process appends lines of JSON, as audits are: each line is read and parsed once, however often a test asks."""

import json
import os
import threading
from pathlib import Path
from typing import Any


class Records:
    """The whole lines of a file, oldest first; from its beginning again if another file has its name, or it has become shorter."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._inode = self._end = 0
        self._lines: list[dict[str, Any]] = []

    def lines(self) -> list[dict[str, Any]]:
        """All of them. Callers share the objects, and leave them as they are."""
        with self._lock, self._path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_ino != self._inode or found.st_size < self._end:
                self._inode, self._end, self._lines = found.st_ino, 0, []
            file.seek(self._end)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._end += len(whole) + len(newline)
            self._lines += map(json.loads, whole.splitlines())
            return list(self._lines)
