"""This cloud's own keys, read again when their file changes."""

import contextlib
from typing import TYPE_CHECKING

from openstackoid.gateway.settings.peering import Trust
from openstackoid.trust import key_files

if TYPE_CHECKING:
    from openstackoid.trust.keys import Keys


class OwnKeys:
    """The keys with which this cloud signs and seals.

    Args:
        trust: the section that names the file.

    Attributes:
        current: the keys as last read.

    Raises:
        OpenStackoidError: the keys cannot be read.
    """

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self.current: Keys = key_files.load(trust.keys, trust.keys_env, trust.keys_command)
        self._stamp = self._file()

    def reload(self) -> bool:
        """Read the file again if it changed; returns whether it did.

        Raises:
            OpenStackoidError: the file cannot be read; the old keys stay, and the next call reads the file again.
        """
        stamp = self._file()
        if stamp == self._stamp:
            return False
        self.current = key_files.load(self._trust.keys)
        self._stamp = stamp
        return True

    def _file(self) -> tuple[int, int]:
        """A value that changes when the file does."""
        if self._trust.keys is None:
            return (0, 0)
        with contextlib.suppress(OSError):
            status = self._trust.keys.stat()
            return (status.st_ino, status.st_ctime_ns)  # its mode counts as well
        return (0, 0)
