"""Temporary storage of uploads: a folder for each image, with a size limit, deleted even after a crash of the server."""

import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Self

from grpc import StatusCode

from openstackoid.oaktree import errors

_PREFIX: Final = "oaktree-upload-"
_BUFFER: Final = 4 * 1024 * 1024
_YOUNG: Final = 60.0  # age in seconds up to which a folder may not be locked yet


class TooLargeError(errors.OaktreeError):
    """The image is larger than the server's limit."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "UPLOAD_TOO_LARGE"


class DiskFullError(errors.OaktreeError):
    """The server's disk has no room for the image."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "UPLOAD_DISK_FULL"


class Spool:
    """A folder for one image, in all formats that clouds need. Deleted at the end of the `with` block."""

    def __init__(self, folder: Path, largest: int) -> None:
        """Prepare.

        Args:
            folder: the parent folder; created if missing, readable only for its owner.
            largest: maximum size of an image, in bytes.
        """
        self.largest: Final = largest
        self._folder: Final = folder

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path: Path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder))
        except OSError as error:
            raise _disk_error(error) from error
        # The lock ends with the process, even after a crash: a folder without a lock is unused.
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    async def fill(self, pieces: AsyncIterator[bytes]) -> tuple[Path, str]:
        """Write the received data to a file.

        Returns:
            The file, and the SHA-256 of its content.

        Raises:
            TooLargeError: the data exceeds the limit; the rest is not read.
            DiskFullError: the disk has no room for the data.
        """
        path, digest, size, waiting = self.path / "image", hashlib.sha256(), 0, bytearray()
        with path.open("xb", buffering=0) as file:

            def write(piece: bytes) -> None:
                digest.update(piece)
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]

            try:
                async for piece in pieces:
                    size += len(piece)
                    if size > self.largest:
                        raise TooLargeError(f"images of more than {self.largest} bytes are not taken here")
                    waiting += piece
                    if len(waiting) >= _BUFFER:
                        await asyncio.to_thread(write, bytes(waiting))
                        waiting.clear()
                await asyncio.to_thread(write, bytes(waiting))
            except OSError as error:
                raise _disk_error(error) from error
        return path, digest.hexdigest()


def sweep(folder: Path) -> int:
    """Delete the folders of killed servers. Returns their number."""
    count = 0
    for path in folder.glob(f"{_PREFIX}*") if folder.is_dir() else ():
        try:
            if time.time() - path.stat().st_mtime < _YOUNG:
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # in use
        else:
            shutil.rmtree(path, ignore_errors=True)
            count += 1
        finally:
            os.close(lock)
    return count


def _disk_error(error: OSError) -> errors.OaktreeError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return DiskFullError(
            "the server's disk has no room for the image: try again later, or have uploads.folder elsewhere"
        )
    return DiskFullError(f"the server cannot keep the image: {os.strerror(error.errno or 0)}")
