"""Formats of disk images: detection, checks, and conversion with qemu-img.

Uploaded images are not trusted. oslo.utils reads the formats' headers as Glance does, and refuses images that refer to other files (backing files,
data files, VMDK extents). qemu-img gets the format as an argument and never guesses it, and runs with limits for memory, time, and output size.
"""

import asyncio
import contextlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grpc import StatusCode

from openstackoid.oaktree import errors
from openstackoid.oaktree.masking import clean

# Glance's names -> qemu's.
_QEMU: Final = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
# The variants that clouds import: a single-file VMDK, and a dynamic VHD.
_OPTIONS: Final = {"vmdk": ["-o", "subformat=streamOptimized"], "vhd": ["-o", "subformat=dynamic,force_size=on"]}
# Formats that a raw disk may be detected as: it may have a partition table, and a rescue disk may have several.
_RAW: Final = frozenset({"raw", "gpt"})
# Formats without a recognisable header.
_PLAIN: Final = frozenset({"raw", "ami", "ari", "aki", "ploop"})
_MEMORY: Final = 2 * 1024**3  # bytes
_SECONDS: Final = 3600  # of CPU time
# Sets the limits, then executes qemu-img.
_LAUNCHER: Final = (
    "import os, resource, sys\n"
    "for name, value in ((resource.RLIMIT_AS, 2), (resource.RLIMIT_CPU, 3), (resource.RLIMIT_FSIZE, 4)):\n"
    "    resource.setrlimit(name, (int(sys.argv[value]),) * 2)\n"
    "os.execv(sys.argv[1], ['qemu-img', *sys.argv[5:]])\n"
)
FORMATS: Final = frozenset({*_QEMU, "iso", *_PLAIN})


class ContentError(errors.OaktreeError):
    """An image is not of its declared format, or refers to other files."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "IMAGE_CONTENT_INVALID"


class ConverterMissingError(errors.OaktreeError):
    """A cloud needs another format, and qemu-img is not installed."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CONVERTER_MISSING"


class ConversionError(errors.OaktreeError):
    """qemu-img could not convert it."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CONVERSION_FAILED"


@dataclass(frozen=True)
class Image:
    """An inspected image file.

    Attributes:
        path: the path of the file.
        format: Glance's name of the format.
        virtual_size: size of the virtual disk, in bytes.
    """

    path: Path
    format: str
    virtual_size: int


def inspect(path: Path, declared: str) -> Image:
    """Inspect a file. Blocks: the file is read to its end, if its format needs that.

    Raises:
        ContentError: the file is not of the declared format, or refers to other files.
    """
    # A sixteenth of a server's start, and many servers never get an image.
    from oslo_utils.imageutils import format_inspector  # noqa: PLC0415

    try:
        inspector = format_inspector.detect_file_format(str(path))
        if inspector is None:
            raise ContentError(f"image.disk_format: expected {declared}, and what came is no image")
        inspector.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        checks = ", ".join(sorted(error.failures))
        raise ContentError(
            f"the image is not safe to use ({checks}): it must be one file that refers to no other"
        ) from None
    except format_inspector.ImageFormatError as error:
        raise ContentError(f"the image cannot be read: {clean(error, 200)}") from None
    name = str(inspector)
    if (name in _RAW and declared not in _PLAIN) or (name not in _RAW and name != declared):
        raise ContentError(f"image.disk_format: {declared} was declared, and {'raw' if name in _RAW else name} came")
    return Image(path, declared, path.stat().st_size if name in _RAW else int(inspector.virtual_size))


def is_convertible(have: str, want: str) -> bool:
    """Whether qemu-img can convert one format to the other."""
    return have in _QEMU and want in _QEMU


async def convert(image: Image, want: str, to: Path, most: int) -> None:
    """Write an image in another format.

    Args:
        image: the result of `inspect`.
        want: the new format, by Glance's name.
        to: the path of the new file.
        most: maximum size of the file and of its virtual disk, in bytes.

    Raises:
        ConverterMissingError: qemu-img is not installed.
        ConversionError: the image is too large, or qemu-img failed.
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
