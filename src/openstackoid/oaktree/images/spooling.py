"""Images on their way: in a folder of their own each, bounded, and gone with whatever happens to their server."""

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
_YOUNG: Final = 60.0  # seconds within which a folder may not have been locked yet


class TooLargeError(errors.OaktreeError):
    """More bytes than the server takes."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "UPLOAD_TOO_LARGE"


class DiskFullError(errors.OaktreeError):
    """The server's disk cannot hold it."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "UPLOAD_DISK_FULL"


class Spool:
    """A folder for one image, in all formats that clouds want. Deleted at the end of the `with`."""

    def __init__(self, folder: Path, largest: int) -> None:
        """Prepare.

        Args:
            folder: where spools are; made if missing, readable for its owner alone.
            largest: bytes of an image.
        """
        self.largest: Final = largest
        self._folder: Final = folder

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path: Path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder))
        except OSError as error:
            raise _disk_error(error) from error
        # The lock ends with the process, however that ends: what is not locked belongs to nobody.
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    async def fill(self, pieces: AsyncIterator[bytes]) -> tuple[Path, str]:
        """Keep what comes.

        Returns:
            The file, and the SHA-256 of what is in it.

        Raises:
            TooLargeError: there is more than is taken; nobody reads on.
            DiskFullError: there is no room for it.
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
    """Delete what servers left that were killed; returns how many."""
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
            continue  # somebody's
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
