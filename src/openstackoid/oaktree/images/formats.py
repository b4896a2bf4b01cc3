"""Formats of disk images: found out, checked, and converted with qemu-img.

What callers send is not trusted. oslo.utils reads the formats' headers as Glance does, and refuses what refers to other files (backing files,
data files, VMDK extents); qemu-img is told the format and never guesses, and runs with bounds for memory, time, and what it writes.
"""

import asyncio
import contextlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grpc import StatusCode
from oslo_utils.imageutils import format_inspector

from openstackoid.oaktree import errors
from openstackoid.oaktree.masking import clean

# Glance's names -> qemu's.
_QEMU: Final = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
# What clouds import: a VMDK that is one file, and a VHD that grows.
_OPTIONS: Final = {"vmdk": ["-o", "subformat=streamOptimized"], "vhd": ["-o", "subformat=dynamic,force_size=on"]}
# Partition tables are what a raw disk has; a rescue disk may have both.
_RAW: Final = frozenset({"raw", "gpt"})
# Formats that have no look of their own.
_PLAIN: Final = frozenset({"raw", "ami", "ari", "aki", "ploop"})
_MEMORY: Final = 2 * 1024**3  # bytes
_SECONDS: Final = 3600  # of computing
# Sets bounds, then becomes qemu-img.
_LAUNCHER: Final = (
    "import os, resource, sys\n"
    "for name, value in ((resource.RLIMIT_AS, 2), (resource.RLIMIT_CPU, 3), (resource.RLIMIT_FSIZE, 4)):\n"
    "    resource.setrlimit(name, (int(sys.argv[value]),) * 2)\n"
    "os.execv(sys.argv[1], ['qemu-img', *sys.argv[5:]])\n"
)
FORMATS: Final = frozenset({*_QEMU, "iso", *_PLAIN})


class ContentError(errors.OaktreeError):
    """An image that is not what it is said to be, or that refers to other files."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "IMAGE_CONTENT_INVALID"


class ConverterMissingError(errors.OaktreeError):
    """A cloud wants another format, and there is no qemu-img."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CONVERTER_MISSING"


class ConversionError(errors.OaktreeError):
    """qemu-img could not convert it."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CONVERSION_FAILED"


@dataclass(frozen=True)
class Image:
    """A file that was looked at.

    Attributes:
        path: where it is.
        format: Glance's name.
        virtual_size: bytes of the disk in it.
    """

    path: Path
    format: str
    virtual_size: int


def inspect(path: Path, declared: str) -> Image:
    """Look at a file. Blocks: it is read up to its end, if its format needs that.

    Raises:
        ContentError: it is something else than was declared, or refers to other files.
    """
    try:
        found = format_inspector.detect_file_format(str(path))
        if found is None:
            raise ContentError(f"image.disk_format: expected {declared}, and what came is no image")
        found.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        checks = ", ".join(sorted(error.failures))
        raise ContentError(
            f"the image is not safe to use ({checks}): it must be one file that refers to no other"
        ) from None
    except format_inspector.ImageFormatError as error:
        raise ContentError(f"the image cannot be read: {clean(error, 200)}") from None
    name = str(found)
    if (name in _RAW and declared not in _PLAIN) or (name not in _RAW and name != declared):
        raise ContentError(f"image.disk_format: {declared} was declared, and {'raw' if name in _RAW else name} came")
    return Image(path, declared, path.stat().st_size if name in _RAW else int(found.virtual_size))


def is_convertible(have: str, want: str) -> bool:
    """Whether qemu-img makes one of the other."""
    return have in _QEMU and want in _QEMU


async def convert(image: Image, want: str, to: Path, most: int) -> None:
    """Write an image in another format.

    Args:
        image: what `inspect` found.
        want: the format, by Glance's name.
        to: the new file.
        most: bytes that it, and the disk in it, may have.

    Raises:
        ConverterMissingError: qemu-img is not installed.
        ConversionError: it is too large, or qemu-img failed.
    """
    program = shutil.which("qemu-img")
    if program is None:
        raise ConverterMissingError(
            f"the cloud wants {want}, and the image is {image.format}: install qemu-img (Debian: qemu-utils) where oaktree serves"
        )
    if image.virtual_size > most:
        raise ConversionError(f"the disk in the image has {image.virtual_size} bytes, and at most {most} are converted")
    work = ["convert", "-f", _QEMU[image.format], "-O", _QEMU[want], *_OPTIONS.get(want, ()), str(image.path), str(to)]
    bounds = [str(_MEMORY), str(_SECONDS), str(most + 64 * 1024**2)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        _LAUNCHER,
        program,
        *bounds,
        *work,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"LC_ALL": "C"},
    )
    try:
        _, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        reason = stderr.decode(errors="replace").replace(str(image.path.parent), "")
        raise ConversionError(
            f"qemu-img cannot make {want} of it: {clean(reason, 200) or f'signal {-process.returncode}'}"
        )
