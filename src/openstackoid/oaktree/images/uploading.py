"""Uploads of an image to many clouds: received once, checked, converted for clouds that need another format, and sent to all in parallel."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import openstack.exceptions as sdk
from google.protobuf.message import Message
from grpc import StatusCode
from openstack.image.v2 import image as sdk_image

from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.creating import Creates
from openstackoid.oaktree.creates.plans import Plan
from openstackoid.oaktree.images import formats, spooling, tasks
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.upstream.clouds import IMAGE_FORMAT
from openstackoid.oaktree.upstream.regions import Region

_ALL: Final = 100  # percent


class ChecksumError(errors.OaktreeError):
    """The hash of a cloud's image differs from that of the data sent."""

    code = StatusCode.INTERNAL
    reason = "IMAGE_CHECKSUM_MISMATCH"


@dataclass(frozen=True)
class Limits:
    """Limits of uploads.

    Attributes:
        folder: the folder for images during the upload.
        largest: maximum size of an image, and of a converted image, in bytes.
        at_once: maximum number of concurrent uploads; further ones wait before their data is read.
    """

    folder: Path
    largest: int = 64 * 1024**3
    at_once: int = 4


class Uploads:
    """All uploads of a worker."""

    def __init__(self, creates: Creates, limits: Limits) -> None:
        """Create it without uploads; deletes the folders of killed servers."""
        self._creates: Final = creates
        self._limits: Final = limits
        self._turn: Final = asyncio.Semaphore(limits.at_once)
        spooling.sweep(limits.folder)

    async def upload(
        self, request: Any, pieces: AsyncIterator[bytes], plan: Callable[["Content"], Plan]
    ) -> AsyncGenerator[Message, None]:
        """Create an image with data.

        Args:
            request: the CreateImageRequest.
            pieces: the data; no request is sent to a cloud before its end.
            plan: makes the plan of the create.

        Raises:
            errors.InvalidError: the format is missing or unknown.
            formats.ContentError: the data is not of that format.
            spooling.TooLargeError: the data exceeds the limit.
        """
        declared = request.image.disk_format.lower()
        if declared not in formats.FORMATS:
            raise errors.invalid("create.image.disk_format", f"expected one of: {', '.join(sorted(formats.FORMATS))}")
        async with self._turn:
            with spooling.Spool(self._limits.folder, self._limits.largest) as spool:
                path, digest = await spool.fill(pieces)
                if not await asyncio.to_thread(lambda: path.stat().st_size):
                    raise errors.invalid("data", "expected the bytes of an image after the first message; none came")
                image = await asyncio.to_thread(formats.inspect, path, declared)
                content = Content(image, digest, self._limits.largest, self._creates.dependencies.threads)
                try:
                    async with contextlib.aclosing(self._creates.create(plan(content))) as messages:
                        async for message in messages:
                            yield message
                finally:
                    await content.close()


class Content:
    """An image's data, in each format that a cloud needs."""

    def __init__(self, image: formats.Image, digest: str, largest: int, threads: ThreadPoolExecutor) -> None:
        """Keep the file; each conversion is made once, on first use."""
        self.digest: Final = digest
        self._image: Final = image
        self._largest: Final = largest
        self._threads: Final = threads
        self._conversions: Final[dict[str, asyncio.Task[Path]]] = {}
        self._sending: Final[set[asyncio.Task[None]]] = set()

    def defaults(self, region: Region) -> Mapping[str, Any]:
        """Properties by which a cloud expects no agent of its vendor in the image: `disable_vendor_agent` of clouds.yaml or a vendor profile."""
        properties = region.connect().config.config.get("disable_vendor_agent") or {}
        return {name: str(value) for name, value in properties.items()}

    def attributes(self, region: Region) -> Mapping[str, Any]:
        """The attributes with the format that the cloud needs."""
        return {"disk_format": self._format(region)}

    async def send(
        self, region: Region, resource_id: str, call: Call, report: Callable[[int], Awaitable[None]]
    ) -> None:
        """See `plans.Content`; compares the cloud's hash of the data with ours.

        Raises:
            ChecksumError: the hashes differ.
            Exception: the error of formats.convert or openstacksdk.
        """
        await self._reading(self._send(region, resource_id, call, report))

    def by_task(self, region: Region) -> bool:
        """See `plans.Content`: `image_api_use_tasks` of clouds.yaml or a vendor profile."""
        return tasks.by_task(region)

    async def stage(self, region: Region, mark: str, call: Call) -> None:
        """See `plans.Content`."""

        async def send() -> None:
            await in_thread(call, self._threads, tasks.stage, region, await self._in(self._format(region)), mark)

        await self._reading(send())

    async def create(
        self, region: Region, attributes: Mapping[str, Any], mark: str, call: Call, until: float
    ) -> tuple[str, Mapping[str, Any]]:
        """See `plans.Content`."""
        return await in_thread(call, self._threads, tasks.create, region, attributes, mark, call, until)

    async def _reading(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that reads the file: `close` waits for it."""
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        try:
            await task
        finally:
            self._sending.discard(task)

    async def close(self) -> None:
        """Wait for uploads in progress, since the file is deleted afterwards, and cancel conversions that no cloud waits for."""
        if self._sending:
            await asyncio.wait(self._sending)
        for task in self._conversions.values():
            task.cancel()
        await asyncio.gather(*self._conversions.values(), return_exceptions=True)

    def _format(self, region: Region) -> str:
        wanted = wanted_format(region)
        return wanted if wanted and formats.is_convertible(self._image.format, wanted) else self._image.format

    async def _send(
        self, region: Region, resource_id: str, call: Call, report: Callable[[int], Awaitable[None]]
    ) -> None:
        path = await self._in(self._format(region))
        loop = asyncio.get_running_loop()

        def percent(value: int) -> None:
            asyncio.run_coroutine_threadsafe(report(value), loop)  # type: ignore[arg-type]

        await in_thread(call, self._threads, _put, region, resource_id, path, percent)

    async def _in(self, wanted: str) -> Path:
        if wanted == self._image.format:
            return self._image.path
        if wanted not in self._conversions:
            self._conversions[wanted] = asyncio.create_task(self._converted(wanted))
        # Shielded: a cancelled upload must not cancel the conversion for other clouds.
        return await asyncio.shield(self._conversions[wanted])

    async def _converted(self, wanted: str) -> Path:
        path = self._image.path.with_suffix(f".{wanted}")
        await formats.convert(self._image, wanted, path, self._largest)
        return path


class _Reader:
    """A file for requests to send: reports the percentage, and hashes the data sent."""

    def __init__(self, path: Path, report: Callable[[int], None]) -> None:
        self.size: Final = path.stat().st_size
        self.hash: Final = hashlib.sha512()
        self._file: Final = path.open("rb")
        self._report: Final = report
        self._sent = 0
        self._last = -1

    def __len__(self) -> int:
        return self.size

    def read(self, amount: int = -1) -> bytes:
        piece = self._file.read(amount)
        self.hash.update(piece)
        self._sent += len(piece)
        percent = self._sent * _ALL // self.size if self.size else _ALL
        if percent != self._last:
            self._last = percent
            self._report(percent)
        return piece

    def close(self) -> None:
        self._file.close()


def _put(region: Region, image_id: str, path: Path, report: Callable[[int], None]) -> None:
    """Send a file to a cloud's Glance. Blocks."""
    proxy: Any = region.connect().image
    image = sdk_image.Image.existing(id=image_id, connection=region.connect())
    reader = _Reader(path, report)
    try:
        # As Image.upload, but without retries: openstacksdk would repeat the request after a 503, when the file is at its end.
        headers = {"Content-Type": "application/octet-stream", "Accept": "", "X-OpenStack-Image-Size": str(reader.size)}
        sdk.raise_from_response(
            proxy.put(
                f"/images/{image_id}/file", data=reader, headers=headers, status_code_retries=0, connect_retries=0
            )
        )
    finally:
        reader.close()
    there = image.fetch(proxy)
    ours = reader.hash.hexdigest()
    if there.hash_algo == "sha512" and there.hash_value and there.hash_value != ours:
        raise ChecksumError("the cloud's SHA-512 of the image is not that of what was sent: it was deleted there")
    if there.size is not None and there.size != reader.size:
        raise ChecksumError(f"the cloud has {there.size} bytes of {reader.size}: it was deleted there")


def wanted_format(region: Region) -> str | None:
    """The image format that a cloud needs, from `image_format` in clouds.yaml or a vendor profile; None for any."""
    return cast("str | None", region.connect().config.config[IMAGE_FORMAT])
