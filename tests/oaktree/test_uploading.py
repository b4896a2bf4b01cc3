"""Images into many clouds: what is taken, what clouds get, and that nothing is left of what broke off."""

import asyncio
import hashlib
import os
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from tests.oaktree import creator
from tests.oaktree.creator import DONE, FAILED, Oaktree, Told, all_of, oaktree
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.making import Cloud, clouds
from tests.oaktree.upstream import reply

from oaktree.v1 import common_pb2, image_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses
from openstackoid.oaktree.images import formats, spooling

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
SLOW = 60.0
MIB = 1024 * 1024
LARGEST = 8 * MIB


@pytest.fixture
def ours() -> Iterator[dict[str, Cloud]]:
    with clouds("Any", "Raw", "Vmdk", "Vhd") as made:
        yield made


@pytest.fixture
async def tree(tmp_path: Path, ours: dict[str, Cloud]) -> AsyncIterator[Oaktree]:
    agent = {"vm_mode": "hvm", "xenapi_use_agent": False}
    wants: dict[str, dict[str, Any]] = {
        "Raw": {"image_format": "raw", "disable_vendor_agent": agent},
        "Vmdk": {"image_format": "vmdk"},
        "Vhd": {"image_format": "vhd"},
    }
    file = clouds_yaml(tmp_path, ours, **wants)
    async with oaktree(tmp_path, file, largest=LARGEST) as made:
        yield made
    # Whatever happened.
    assert not list((tmp_path / "uploads").glob("*"))


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A disk of 1 MiB with something on it, raw and as qcow2."""
    folder = tmp_path_factory.mktemp("disk")
    raw = b"\0" * 4096 + os.urandom(4096) + b"\0" * (MIB - 8192)
    (folder / "raw").write_bytes(raw)
    qemu("convert", "-f", "raw", "-O", "qcow2", folder / "raw", folder / "qcow2")
    return {"raw": raw, "qcow2": (folder / "qcow2").read_bytes()}


def qemu(*args: object) -> None:
    subprocess.run(["qemu-img", *map(str, args)], check=True, capture_output=True)


def raw_of(data: bytes, format_: str, folder: Path) -> bytes:
    """The disk in an image."""
    (folder / "there").write_bytes(data)
    qemu("convert", "-f", format_, "-O", "raw", folder / "there", folder / "back")
    return (folder / "back").read_bytes()


async def requests(
    data: bytes, format_: str, *places: str, key: str = "", piece: int = 300_000, **more: Any
) -> AsyncIterator[Any]:
    create = image_pb2.CreateImageRequest(
        image=image_pb2.Image(name="disk", disk_format=format_, container_format="bare"),
        locations=[Location(cloud=each) for each in places],
        options=common_pb2.CreateOptions(idempotency_key=key, **more),
    )
    yield image_pb2.UploadImageRequest(create=create)
    for start in range(0, len(data), piece):
        yield image_pb2.UploadImageRequest(data=data[start : start + piece])


async def upload(tree: Oaktree, *args: Any, **options: Any) -> Told:
    return await all_of(tree.image.UploadImage(requests(*args, **options)), "image")


async def refused(tree: Oaktree, messages: AsyncIterator[Any]) -> tuple[StatusCode, str, str]:
    return await creator.refused(tree.image.UploadImage(messages), "image")


def images(ours: dict[str, Cloud]) -> dict[str, list[dict[str, Any]]]:
    return {name: list(each.made["images"].values()) for name, each in ours.items()}


async def test_each_cloud_gets_its_format(
    tree: Oaktree, ours: dict[str, Cloud], disk: dict[str, bytes], tmp_path: Path
) -> None:
    told = await upload(tree, disk["qcow2"], "qcow2")
    assert not told.errors()
    for name, format_, qemus in (
        ("Any", "qcow2", "qcow2"),
        ("Raw", "raw", "raw"),
        ("Vmdk", "vmdk", "vmdk"),
        ("Vhd", "vhd", "vpc"),
    ):
        cloud = ours[name]
        [image] = cloud.made["images"].values()
        assert (image["disk_format"], image["status"]) == (format_, "active")
        agent = ("hvm", "False") if name == "Raw" else (None, None)
        assert (image.get("vm_mode"), image.get("xenapi_use_agent")) == agent
        data = cloud.data[image["id"]]
        assert raw_of(data, qemus, tmp_path)[:MIB] == disk["raw"]
        assert told.stages(name)[-1] == DONE
        percents = [each.percent for each in told.progress if each.location.cloud == name and each.HasField("percent")]
        assert percents == sorted(percents)
        assert percents[-1] == 100
    assert ours["Any"].data[next(iter(ours["Any"].data))] == disk["qcow2"]
    assert {each.hash_value for each in told.resources if each.hash_value} == {
        hashlib.sha512(data).hexdigest() for cloud in ours.values() for data in cloud.data.values()
    }


async def test_one_cloud_that_fails_harms_no_other_and_keeps_no_half_image(
    tree: Oaktree, ours: dict[str, Cloud], disk: dict[str, bytes]
) -> None:
    ours["Raw"].during_upload = lambda _: reply(413, {"message": "quota"})
    ours["Vhd"].during_upload = lambda _: b""
    told = await upload(tree, disk["qcow2"], "qcow2")
    assert set(told.errors()) == {"Raw", "Vhd"}
    assert told.stages("Raw")[-1] == told.stages("Vhd")[-1] == FAILED
    assert {name: len(each) for name, each in images(ours).items()} == {"Any": 1, "Raw": 0, "Vmdk": 1, "Vhd": 0}


async def test_a_cloud_that_has_other_bytes_is_told_and_has_none(
    tree: Oaktree, ours: dict[str, Cloud], disk: dict[str, bytes]
) -> None:
    cloud = ours["Any"]
    kept = cloud._upload

    def spoiled(name: str, data: bytes) -> bytes:
        return kept(name, data[:-1] + bytes([data[-1] ^ 1]))

    ours["Any"].during_upload = lambda seen: spoiled(seen.target.split("/")[-2], seen.body)
    told = await upload(tree, disk["qcow2"], "qcow2", "Any")
    assert statuses.reason(told.errors()["Any"]) == "IMAGE_CHECKSUM_MISMATCH"
    assert not cloud.made["images"]


async def test_a_repeated_upload_sends_nothing_twice(
    tree: Oaktree, ours: dict[str, Cloud], disk: dict[str, bytes]
) -> None:
    first = await upload(tree, disk["qcow2"], "qcow2", "Any", key="k")
    again = await upload(tree, disk["qcow2"], "qcow2", "Any", key="k", piece=100_000)
    assert {each.id for each in first.resources} == {each.id for each in again.resources}
    assert len(ours["Any"].creates) == 1
    assert len([each for each in ours["Any"].seen if each.target.endswith("/file")]) == 1
    code, reason, _ = await refused(tree, requests(disk["raw"], "raw", "Any", key="k"))
    assert (code, reason) == (StatusCode.FAILED_PRECONDITION, "IDEMPOTENCY_KEY_REUSED")


async def test_an_upload_that_failed_is_made_again_with_its_key(
    tree: Oaktree, ours: dict[str, Cloud], disk: dict[str, bytes]
) -> None:
    ours["Any"].during_upload = lambda _: reply(503, {"message": "later"})
    told = await upload(tree, disk["qcow2"], "qcow2", "Any", key="k")
    assert told.stages("Any")[-1] == FAILED
    ours["Any"].during_upload = lambda _: None
    told = await upload(tree, disk["qcow2"], "qcow2", "Any", key="k")
    assert told.stages("Any")[-1] == DONE
    assert len(ours["Any"].made["images"]) == 1


async def test_a_client_that_goes_in_the_middle_leaves_nothing(
    tree: Oaktree, ours: dict[str, Cloud], disk: dict[str, bytes], tmp_path: Path
) -> None:
    here = asyncio.Event()

    async def stuck() -> AsyncIterator[Any]:
        async for each in requests(disk["raw"], "raw"):
            yield each
        here.set()
        await asyncio.sleep(SLOW)

    call = tree.image.UploadImage(stuck())
    await here.wait()
    async with asyncio.timeout(SLOW):
        while not list((tmp_path / "uploads").glob("*/image")):
            await asyncio.sleep(0.01)
    call.cancel()
    async with asyncio.timeout(SLOW):
        while list((tmp_path / "uploads").glob("*")):
            await asyncio.sleep(0.01)
    assert not any(each.creates for each in ours.values())


async def test_more_than_is_taken_is_refused_while_it_comes(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    code, reason, _ = await refused(tree, requests(b"x" * (LARGEST + 1), "raw"))
    assert (code, reason) == (StatusCode.RESOURCE_EXHAUSTED, "UPLOAD_TOO_LARGE")
    assert not any(each.creates for each in ours.values())


async def test_a_small_image_of_a_huge_disk_is_not_converted(
    tree: Oaktree, ours: dict[str, Cloud], tmp_path: Path
) -> None:
    qemu("create", "-f", "qcow2", tmp_path / "huge", "100G")
    told = await upload(tree, (tmp_path / "huge").read_bytes(), "qcow2", "Any", "Raw")
    assert statuses.reason(told.errors()["Raw"]) == "CONVERSION_FAILED"
    assert {name: len(each) for name, each in images(ours).items() if each} == {"Any": 1}


async def test_without_qemu_img_only_those_fail_that_want_another_format(
    tree: Oaktree, ours: dict[str, Cloud], disk: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = await upload(tree, disk["qcow2"], "qcow2", "Any", "Raw")
    assert statuses.reason(told.errors()["Raw"]) == "CONVERTER_MISSING"
    assert "qemu-utils" in told.errors()["Raw"].message
    assert told.stages("Any")[-1] == DONE
    assert not ours["Raw"].made["images"]


def backed(folder: Path) -> bytes:
    qemu("create", "-f", "raw", folder / "secret", "1M")
    qemu("create", "-f", "qcow2", "-b", folder / "secret", "-F", "raw", folder / "backed")
    return (folder / "backed").read_bytes()


def with_data_file(folder: Path) -> bytes:
    qemu("create", "-f", "qcow2", "-o", f"data_file={folder}/data,data_file_raw=on", folder / "pointing", "1M")
    return (folder / "pointing").read_bytes()


def vmdk_of_another_file(_: Path) -> bytes:
    text = b'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 2048 FLAT "/etc/passwd" 0\n'
    return text + b"\0" * (MIB - len(text))


def qcow2_said_to_be_raw(folder: Path) -> bytes:
    return backed(folder)


def cut(_: Path) -> bytes:
    return struct.pack(">4sI", b"QFI\xfb", 3) + b"\0" * 20


@pytest.mark.parametrize(
    ("make", "declared"),
    [
        (backed, "qcow2"),
        (with_data_file, "qcow2"),
        (vmdk_of_another_file, "vmdk"),
        (qcow2_said_to_be_raw, "raw"),
        (cut, "qcow2"),
        (lambda _: b"hello" * 1000, "qcow2"),
        (lambda _: b"hello" * 1000, "iso"),
    ],
    ids=["backing file", "data file", "vmdk extent", "qcow2 as raw", "cut", "text as qcow2", "text as iso"],
)
async def test_images_that_are_not_what_they_say_reach_no_cloud(
    tree: Oaktree, ours: dict[str, Cloud], tmp_path: Path, make: Any, declared: str
) -> None:
    code, reason, _ = await refused(tree, requests(make(tmp_path), declared))
    assert (code, reason) == (StatusCode.INVALID_ARGUMENT, "IMAGE_CONTENT_INVALID")
    assert not any(each.creates for each in ours.values())


async def test_messages_out_of_order_are_refused(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    async def data_first() -> AsyncIterator[Any]:
        yield image_pb2.UploadImageRequest(data=b"x")

    async def create_twice() -> AsyncIterator[Any]:
        for _ in range(2):
            async for each in requests(b"", "raw"):
                yield each

    async def nothing() -> AsyncIterator[Any]:
        for each in list[Any]():
            yield each

    for messages in (data_first(), create_twice(), nothing(), requests(b"", "raw"), requests(b"x", "floppy")):
        code, reason, _ = await refused(tree, messages)
        assert (code, reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert not any(each.creates for each in ours.values())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("needs a mount of its own")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_is_told_and_empty_again(small_disk: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    with pytest.raises(spooling.DiskFullError), spooling.Spool(small_disk, 64 * MIB) as spool:
        await spool.fill(pieces())
    assert not list(small_disk.iterdir())


async def test_a_conversion_without_room_fails_alone(small_disk: Path, disk: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(disk["qcow2"])
    image = formats.inspect(tmp_path / "image", "qcow2")
    (small_disk / "full").write_bytes(b"x" * (MIB - 4096))
    with pytest.raises(formats.ConversionError):
        await formats.convert(image, "raw", small_disk / "raw", LARGEST)


def test_what_a_killed_server_left_is_swept(tmp_path: Path) -> None:
    for name in ("oaktree-upload-dead", "oaktree-upload-young", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image").write_bytes(b"x")
    with spooling.Spool(tmp_path, 1) as alive:
        for path in (tmp_path / "oaktree-upload-dead", alive.path, tmp_path / "other"):
            os.utime(path, (1, 1))
        assert spooling.sweep(tmp_path) == 1
        assert {each.name for each in tmp_path.iterdir()} == {"oaktree-upload-young", "other", alive.path.name}
