"""Images into a cloud that takes them by tasks (`image_api_use_tasks`): Swift first, then a task of Glance that imports them."""

import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.oaktree.creator import CREATED, DONE, FAILED, UNDONE, UNKNOWN, Oaktree, all_of, oaktree
from tests.oaktree.keystone import Keystone, clouds_yaml
from tests.oaktree.test_uploading import disk, requests
from tests.oaktree.upstream import Seen, reply

from oaktree.v1 import operation_pb2
from openstackoid.oaktree import statuses

__all__ = ["disk"]
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


class TaskCloud(Keystone):
    """Swift, and Glance, which refuses to create images except by tasks.

    Attributes:
        objects: "CONTAINER/NAME" -> its bytes; containers are names alone.
        images: id -> JSON.
        imported: the bytes of each image.
        asked: the input of each task.
        status: of a task when it is read.
        full: whether Swift takes no more objects.
        lose: called before the answer to a new task, to answer something else.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.images: dict[str, dict[str, Any]] = {}
        self.imported: dict[str, bytes] = {}
        self.asked: list[dict[str, Any]] = []
        self.status = "success"
        self.full = False
        self.lose: Callable[[], bytes | None] = lambda: None
        self._tasks: dict[str, dict[str, Any]] = {}
        super().__init__({"image": "/image/v2", "object-store": "/swift/v1/AUTH_1"})

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        if path.startswith("/swift/"):
            return self._swift(seen, path.removeprefix("/swift/v1/AUTH_1").strip("/"))
        if match := re.fullmatch(r"/image/v2/tasks(?:/(.+))?", path):
            return self._task(match[1]) if match[1] else self._import(json.loads(seen.body))
        if path == "/image/v2/images" and seen.method == "GET":
            name = parse_qs(urlsplit(seen.target).query).get("name", [""])[0]
            return reply(200, {"images": [image for image in self.images.values() if name in ("", image["name"])]})
        if (match := re.fullmatch(r"/image/v2/images/(.+)", path)) and match[1] in self.images:
            image = self.images[match[1]]
            if seen.method == "DELETE":
                del self.images[match[1]]
                return reply(204)
            if seen.method == "PATCH":
                image.update({change["path"].strip("/"): change["value"] for change in json.loads(seen.body)})
            return reply(200, image)
        return reply(403 if seen.method == "POST" else 404, {"error": {"message": "not this way"}})

    def _swift(self, seen: Seen, name: str) -> bytes:
        if seen.method == "PUT":
            if self.full:
                return reply(507, b"no space")
            self.objects[name] = seen.body
            return reply(201)
        if name not in self.objects:
            return reply(404)
        if seen.method == "DELETE":
            del self.objects[name]
        return reply(204, b"", {"Content-Length": "0", "X-Container-Object-Count": "0"})

    def _import(self, task: dict[str, Any]) -> bytes:
        self.asked.append(task["input"])
        made = {"id": str(uuid.uuid4()), "type": task["type"], "status": "pending", "result": None}
        self._tasks[made["id"]] = made
        if self.status == "success":
            image_id = str(uuid.uuid4())
            data = self.objects[task["input"]["import_from"]]
            self.images[image_id] = {
                "id": image_id,
                "status": "active",
                "disk_format": "vhd",
                "size": len(data),
                **task["input"]["image_properties"],
            }
            self.imported[image_id] = data
            made["result"] = {"image_id": image_id}
        return self.lose() or reply(201, made)

    def _task(self, name: str) -> bytes:
        self._tasks[name] |= {"status": self.status, "message": "" if self.status == "success" else "it is no VHD"}
        return reply(200, self._tasks[name])


@pytest.fixture
def cloud() -> Iterator[TaskCloud]:
    made = TaskCloud()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
async def tree(tmp_path: Path, cloud: TaskCloud) -> AsyncIterator[Oaktree]:
    settings = {"image_api_use_tasks": True, "image_format": "raw", "disable_vendor_agent": {"vm_mode": "hvm"}}
    async with oaktree(tmp_path, clouds_yaml(tmp_path, {"Tasks": cloud}, Tasks=settings), settle=0.1) as made:
        yield made
    assert not list((tmp_path / "uploads").glob("*"))


async def test_an_image_is_imported_in_the_clouds_format_with_its_properties(
    tree: Oaktree, cloud: TaskCloud, disk: dict[str, bytes]
) -> None:
    told = await all_of(tree.image.UploadImage(requests(disk["qcow2"], "qcow2")), "image")
    assert not told.errors()
    assert told.stages("Tasks")[-1] == DONE
    [image] = cloud.images.values()
    assert (image["name"], image["vm_mode"]) == ("disk", "hvm")
    assert cloud.imported[image["id"]] == disk["raw"]
    assert told.resources[-1].id == image["id"]
    [asked] = cloud.asked
    assert asked["image_properties"] == {"name": "disk"}
    # Neither the object nor its container is left.
    assert cloud.objects == {}
    undone = await tree.operations.UndoOperation(operation_pb2.UndoOperationRequest(id=told.operation))
    assert {part.stage for part in undone.operation.parts} == {UNDONE}
    assert cloud.images == {}


async def test_the_same_key_imports_nothing_twice(tree: Oaktree, cloud: TaskCloud, disk: dict[str, bytes]) -> None:
    for _ in range(2):
        told = await all_of(tree.image.UploadImage(requests(disk["raw"], "raw", key="key")), "image")
        assert told.stages("Tasks")[-1] == DONE
    assert len(cloud.asked) == 1


async def test_a_task_that_fails_is_a_failure_and_may_be_tried_again(
    tree: Oaktree, cloud: TaskCloud, disk: dict[str, bytes]
) -> None:
    cloud.status = "failure"
    told = await all_of(tree.image.UploadImage(requests(disk["raw"], "raw", key="key")), "image")
    assert told.stages("Tasks")[-1] == FAILED
    assert statuses.reason(told.errors()["Tasks"]) == "NOT_CREATED"
    assert "it is no VHD" in told.errors()["Tasks"].message
    assert cloud.objects == {}
    cloud.status = "success"
    told = await all_of(tree.image.UploadImage(requests(disk["raw"], "raw", key="key")), "image")
    assert told.stages("Tasks")[-1] == DONE
    assert len(cloud.images) == 1


async def test_a_task_whose_answer_was_lost_is_found_by_its_image(
    tree: Oaktree, cloud: TaskCloud, disk: dict[str, bytes]
) -> None:
    cloud.images["other"] = {"id": "other", "name": "disk", "status": "active"}  # was there before
    cloud.lose = lambda: reply(504)
    told = await all_of(tree.image.UploadImage(requests(disk["raw"], "raw", key="key")), "image")
    assert CREATED in told.stages("Tasks")
    assert told.stages("Tasks")[-1] == DONE
    assert told.resources[-1].id not in ("", "other")
    assert len(cloud.images) == 2


async def test_a_task_that_may_still_run_is_unknown_and_not_sent_again(
    tree: Oaktree, cloud: TaskCloud, disk: dict[str, bytes]
) -> None:
    cloud.status = "processing"
    cloud.lose = lambda: reply(504)
    for _ in range(2):
        told = await all_of(tree.image.UploadImage(requests(disk["raw"], "raw", key="key")), "image")
        assert told.stages("Tasks")[-1] == UNKNOWN
    assert len(cloud.asked) == 1


async def test_a_failed_object_store_creates_nothing(tree: Oaktree, cloud: TaskCloud, disk: dict[str, bytes]) -> None:
    cloud.full = True
    told = await all_of(tree.image.UploadImage(requests(disk["raw"], "raw", key="key")), "image")
    assert told.stages("Tasks")[-1] == FAILED
    assert not cloud.asked
    cloud.full = False
    told = await all_of(tree.image.UploadImage(requests(disk["raw"], "raw", key="key")), "image")
    assert told.stages("Tasks")[-1] == DONE
