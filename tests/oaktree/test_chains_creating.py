"""Creates and uploads over oaktrees behind each other: all data gets there, and what is to be undone is undone everywhere, or told."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.rpc import code_pb2
from grpc_status import rpc_status
from tests.oaktree.creator import CREATED, DONE, FAILED, UNDONE
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.making import Cloud, clouds
from tests.oaktree.sites import LONG, Caller, Chain, Told, refused, sites
from tests.oaktree.upstream import Seen, reply, until

from oaktree.v1 import image_pb2
from oaktree.v1.common_pb2 import CreateOptions
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses

HOMES = {"A": ("Near",), "B": ("Far", "Off"), "C": ("Deep",)}
EVERYWHERE = {"Near", "SiteB/Far", "SiteB/Off", "SiteB/SiteC/Deep"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Cloud], Chain]]:
    folder = tmp_path_factory.mktemp("sites")
    with clouds(*(name for names in HOMES.values() for name in names)) as made, started(folder, made) as chain:
        yield made, chain


@contextlib.contextmanager
def started(folder: Path, made: dict[str, Cloud]) -> Iterator[Chain]:
    files = {}
    for site, names in HOMES.items():
        (folder / f"of-{site}").mkdir()
        files[site] = clouds_yaml(folder / f"of-{site}", {name: made[name] for name in names})
    with sites(folder, files) as chain:
        yield chain
        # Whatever happened.
        assert not [*folder.glob("*/uploads/*")]


@pytest.fixture
def ours(everything: tuple[dict[str, Cloud], Chain]) -> Iterator[dict[str, Cloud]]:
    made, _ = everything
    kept = {name: each._upstream.handler for name, each in made.items()}
    yield made
    for name, each in made.items():
        each.before = each.after = each.during_upload = lambda _: None
        each._upstream.handler = kept[name]
        for many in each.made.values():
            many.clear()
        each.creates.clear()
        each.data.clear()


@pytest.fixture
def caller(everything: tuple[dict[str, Cloud], Chain]) -> Iterator[Caller]:
    with everything[1].of("A") as made:
        yield made


# Uploads.


def requests(data: bytes, *places: str, piece: int = 300_001) -> Iterator[Any]:
    create = image_pb2.CreateImageRequest(
        image=image_pb2.Image(name="disk", disk_format="raw", container_format="bare"),
        locations=[Location(cloud=each) for each in places],
        options=CreateOptions(idempotency_key="", wait=True),
    )
    yield image_pb2.UploadImageRequest(create=create)
    for start in range(0, len(data), piece):
        yield image_pb2.UploadImageRequest(data=data[start : start + piece])


def upload(caller: Caller, messages: Iterator[Any]) -> Told:
    return Told(list(caller.stubs.image.UploadImage(messages, timeout=LONG)))


def spools(everything: tuple[dict[str, Cloud], Chain], site: str) -> list[Path]:
    """Images on their way there."""
    return list((everything[1].servers[site].config.parent / "uploads").glob("*/image"))


@pytest.mark.parametrize(
    ("place", "there"), [("SiteB/Far", {"Far"}), ("SiteB/SiteC", {"Deep"}), ("SiteB/SiteC/Deep", {"Deep"})]
)
def test_an_image_gets_to_clouds_behind_as_it_is(
    ours: dict[str, Cloud], caller: Caller, place: str, there: set[str]
) -> None:
    data = os.urandom(5_000_000)
    told = upload(caller, requests(data, place))
    assert not told.errors
    assert {cloud.rpartition("/")[2] for cloud in told.results} == there
    for cloud in told.results:
        assert told.stages(cloud)[-1] == DONE
        percents = [each.progress.percent for each in told.answers if each.progress.HasField("percent")]
        assert percents[-1] == 100
    assert {name: list(each.data.values()) == [data] for name, each in ours.items() if each.data} == dict.fromkeys(there, True)  # fmt: skip
    [name] = told.ids
    assert caller.operation(name).parts[0].stage == DONE


def test_an_image_for_several_oaktrees_is_refused_before_its_data(ours: dict[str, Cloud], caller: Caller) -> None:
    # B refuses the last one while the data is on its way.
    for places in ((), ("Near", "SiteB/Far"), *(("SiteB",),) * 30):
        code, reason = refused(lambda places=places: upload(caller, requests(b"x" * 10, *places)).results)
        assert (code, reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert not any(each.creates for each in ours.values())


def test_a_caller_who_goes_half_way_leaves_nothing_behind(
    everything: tuple[dict[str, Cloud], Chain], ours: dict[str, Cloud], caller: Caller
) -> None:
    gone = threading.Event()

    def half() -> Iterator[Any]:
        yield from requests(b"x" * 1_000_000, "SiteB/Far")
        gone.wait(LONG)

    call: Any = caller.stubs.image.UploadImage(half(), timeout=LONG)
    until(lambda: spools(everything, "B"))
    call.cancel()
    gone.set()
    until(lambda: not spools(everything, "B"))
    assert not ours["Far"].creates


def test_a_message_half_way_that_cannot_be_read_ends_it(
    everything: tuple[dict[str, Cloud], Chain], ours: dict[str, Cloud], caller: Caller
) -> None:
    def spoiled(bad: bytes) -> Iterator[bytes]:
        for each in requests(b"x" * 1_000_000, "SiteB/Far"):
            yield each.SerializeToString()
        until(lambda: spools(everything, "B"))
        yield bad

    rpc: Any = caller.stubs.channel.stream_stream("/oaktree.v1.ImageService/UploadImage", bytes, bytes)
    # Bytes that are no message, and a message in the wrong place.
    for bad in (b"\xff\xff", next(requests(b"")).SerializeToString()):
        assert refused(lambda bad=bad: list(rpc(spoiled(bad), timeout=LONG))) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        until(lambda: not spools(everything, "B"))
    assert not ours["Far"].creates


def test_a_cloud_behind_that_does_not_take_the_data_keeps_nothing(ours: dict[str, Cloud], caller: Caller) -> None:
    ours["Far"].during_upload = lambda _: reply(503, {"message": "no room"})
    told = upload(caller, requests(os.urandom(1_000_000), "SiteB/Far"))
    assert told.stages("SiteB/Far")[-1] == FAILED
    assert statuses.reason(told.errors["SiteB/Far"]) == "CLOUD_UNAVAILABLE"
    assert len(ours["Far"].creates) == 1
    assert not ours["Far"].made["images"]


def test_an_oaktree_that_dies_half_way_is_told(tmp_path: Path) -> None:
    with clouds(*(name for names in HOMES.values() for name in names)) as made, started(tmp_path, made) as chain:
        killed = threading.Event()

        def half() -> Iterator[Any]:
            yield from requests(b"x" * 1_000_000, "SiteB/Far")
            killed.wait(LONG)

        with chain.of("A") as caller:
            call = caller.stubs.image.UploadImage(half(), timeout=LONG)
            until(lambda: list(tmp_path.glob("B/uploads/*/image")))
            chain.servers["B"].process.stop(signal.SIGKILL)
            with pytest.raises(grpc.RpcError) as caught:
                list(call)
            killed.set()
        status = rpc_status.from_call(cast("Any", caught.value))
        assert status is not None
        assert (status.code, statuses.reason(status)) == (code_pb2.UNAVAILABLE, "OAKTREE_UNREACHABLE")
        assert not made["Far"].creates
        # What it had received is swept by the next server, later: nobody can do it for a dead one.
        for each in tmp_path.glob("B/uploads/*/*"):
            each.unlink()
        for each in tmp_path.glob("B/uploads/*"):
            each.rmdir()
        chain.servers.pop("B")


# Undoing.


def there(ours: dict[str, Cloud]) -> set[str]:
    return {name for name, each in ours.items() if each.servers}


def refusing(_: Seen) -> bytes:
    return reply(403, {"forbidden": {"code": 403, "message": "No more of these."}})


@pytest.mark.parametrize("fails", sorted(EVERYWHERE))
def test_what_failed_anywhere_is_undone_everywhere(ours: dict[str, Cloud], caller: Caller, fails: str) -> None:
    ours[fails.rpartition("/")[2]].before = refusing
    told = caller.create("undone", undo_on_failure=True)
    assert there(ours) == set()
    assert told.results.keys() == EVERYWHERE
    assert told.errors.keys() == EVERYWHERE
    assert statuses.reason(told.errors.pop(fails)) == "CLOUD_FORBIDDEN"
    for cloud in EVERYWHERE - {fails}:
        assert (told.errors[cloud].code, told.results[cloud].items) == (code_pb2.CANCELLED, 0)
        assert "deleted again" in told.errors[cloud].message
        assert told.stages(cloud)[-1] == UNDONE
    for name in told.ids:
        assert {part.stage for part in caller.operation(name).parts} <= {UNDONE, FAILED}


def test_what_failed_nowhere_stays(ours: dict[str, Cloud], caller: Caller) -> None:
    told = caller.create("stays", undo_on_failure=True, key="stays")
    assert not told.errors
    assert there(ours) == {"Near", "Far", "Off", "Deep"}
    # The same again creates nothing, and undoes nothing.
    assert not caller.create("stays", undo_on_failure=True, key="stays").errors
    assert {name: len(each.servers) for name, each in ours.items()} == dict.fromkeys(ours, 1)


def test_the_same_again_after_it_was_undone_creates_nothing(ours: dict[str, Cloud], caller: Caller) -> None:
    ours["Near"].before = refusing
    for _ in range(2):
        assert caller.create("again", undo_on_failure=True, key="again").errors.keys() == EVERYWHERE
        assert there(ours) == set()
    assert [len(ours[name].creates) for name in ("Far", "Off", "Deep")] == [1, 1, 1]


def test_what_cannot_be_undone_is_told(ours: dict[str, Cloud], caller: Caller) -> None:
    ours["Near"].before = refusing
    answer = ours["Deep"]._upstream.handler

    def keeps(seen: Seen, sock: socket.socket) -> bytes | None:
        return refusing(seen) if seen.method == "DELETE" else answer(seen, sock)

    ours["Deep"]._upstream.handler = keeps
    told = caller.create("kept", undo_on_failure=True)
    assert there(ours) == {"Deep"}
    assert statuses.reason(told.errors["SiteB/SiteC/Deep"]) == "CLOUD_FORBIDDEN"
    assert told.results["SiteB/SiteC/Deep"].items == 1
    assert told.stages("SiteB/SiteC/Deep")[-1] == CREATED
    assert told.errors["SiteB/Far"].code == code_pb2.CANCELLED


def test_an_oaktree_that_does_not_answer_undoes_the_others(tmp_path: Path) -> None:
    with clouds(*(name for names in HOMES.values() for name in names)) as made, started(tmp_path, made) as chain:
        chain.servers["C"].stop()
        with chain.of("A") as caller:
            told = caller.create("lost", undo_on_failure=True)
            assert there(made) == set()
            assert statuses.reason(told.errors["SiteB/SiteC"]) == "OAKTREE_UNREACHABLE"
            # One that dies when it has created: nobody can undo that now, and that is told.
            chain.servers.pop("C")

            def dies(seen: Seen) -> bytes:
                until(lambda: made["Far"].servers)
                time.sleep(0.5)
                chain.servers["B"].process.stop(signal.SIGKILL)
                return refusing(seen)

            made["Near"].before = dies
            told = caller.create("dead", "Near", "SiteB/Far", undo_on_failure=True)
            assert there(made) == {"Far"}
            assert {cloud.partition("/")[0] for cloud in told.errors} == {"Near", "SiteB"}
            chain.servers.pop("B")
