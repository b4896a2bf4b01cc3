"""Images of clouds that take them by tasks alone: `image_api_use_tasks` of clouds.yaml or a vendor profile.

As openstacksdk's `create_image` does it, but in two steps, so that all that comes before the image exists is over when the create is put on record:
`stage` sends the data to the cloud's object store, and `create` has Glance import it from there. The functions block.
"""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import openstack.exceptions as sdk
from openstack.image.v2 import image as sdk_image

from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.outcomes import NotCreatedError
from openstackoid.oaktree.resources.recording import as_raw, recording
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.operations import marks

_OBJECT: Final = "image"
_DAY: Final = 24 * 60 * 60
# The import decides these.
_OF_THE_TASK: Final = frozenset({"name", "disk_format", "container_format"})


def by_task(region: Region) -> bool:
    """Whether a cloud takes images by tasks."""
    return bool(region.connect().config.config.get("image_api_use_tasks"))


def stage(region: Region, path: Path, mark: str) -> None:
    """Send an image's data to the object store, into a container of the create's own. It deletes itself after a day.

    Raises:
        errors.UnsupportedError: the cloud has no object store.
    """
    connection: Any = region.connect()
    if not connection.has_service("object-store"):
        raise errors.UnsupportedError(
            "the cloud takes images by tasks (image_api_use_tasks), and has no object store from which to import them"
        )
    container = _container(mark)
    connection.create_container(container)
    headers = {"content-type": "application/octet-stream", "x-delete-after": str(_DAY)}
    connection.create_object(container, _OBJECT, str(path), **headers)


def create(
    region: Region, attributes: Mapping[str, Any], mark: str, call: Call, until: float
) -> tuple[str, dict[str, Any]]:
    """Have Glance import the data, wait for that, and set the image's other attributes. Returns its id and JSON.

    Args:
        region: the cloud-region.
        attributes: of the image.
        mark: as for `stage`.
        call: its deadline limits the wait.
        until: a time of `time.monotonic()` after which nothing is sent: another worker may have taken over.

    Raises:
        NotCreatedError: the import failed, or `until` has passed.
    """
    connection: Any = region.connect()
    proxy = connection.image
    container = _container(mark)
    if time.monotonic() > until:
        raise NotCreatedError("the server was stopped before it sent the request: try again")
    try:
        task = proxy.create_task(
            type="import",
            input={
                "import_from": f"{container}/{_OBJECT}",
                "image_properties": {"name": attributes["name"]},
            },
        )
        try:
            task = proxy.wait_for_task(task, status="success", wait=call.left())
        except sdk.ResourceFailure as error:
            failed = proxy.get_task(task.id)
            raise NotCreatedError(f"the cloud could not import the image: {failed.message or error}") from error
    finally:
        with contextlib.suppress(sdk.SDKException):
            connection.delete_object(container, _OBJECT)
            connection.delete_container(container)
    image_id = str(task.result["image_id"])
    image = recording(sdk_image.Image).existing(id=image_id, connection=connection)
    rest = {name: value for name, value in attributes.items() if name not in _OF_THE_TASK}
    if rest:
        proxy.update_image(image_id, **rest)
    return image_id, as_raw(image.fetch(proxy))


def _container(mark: str) -> str:
    return f"oaktree-{marks.own_id(mark)}"
