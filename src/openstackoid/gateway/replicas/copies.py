"""Copies of images to other clouds, for `openstack image copy`: the gateway reads the data once, and sends it to all.

POST /openstackoid/v1/copies           {"image": ID or name, "from": CLOUD, "to": [CLOUD, ...]}: begins one; `from` is this cloud if it is left out
GET  /openstackoid/v1/copies?id=ID     how far it is; a gateway continues it when nobody asks, too
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from openstackoid.core import scope as scopes
from openstackoid.core.errors import (
    AmbiguousError,
    BadRequestError,
    ReplicaBusyError,
    ReplicaFailedError,
    ReplicaRefusedError,
    RoutingError,
    UnknownCloudError,
)
from openstackoid.core.plans import Known, Target
from openstackoid.core.protocol import AUTH, COPIES_PATH
from openstackoid.core.replication.copying import Original, original
from openstackoid.core.scope import REST, Name, Scope
from openstackoid.gateway.api.answers import answered
from openstackoid.gateway.api.endpoints import Audience, Endpoint, Question
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.entry.bodies import document
from openstackoid.gateway.replicas.asking import JSON, Asker, parsed, reason
from openstackoid.gateway.replicas.callers import Callers
from openstackoid.gateway.replicas.copy import THERE, Copy
from openstackoid.gateway.replicas.creating import read_json
from openstackoid.gateway.replicas.records import Operation, Part, Policy, Work, location_of
from openstackoid.gateway.replicas.running import Restore, Runner
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.replicas.steps import NOT_FOUND, Steps
from openstackoid.operations.stages import Stage

_METHODS: Final = frozenset({"GET", "POST"})
_ACCEPTED: Final = 202
_SERVER_ERROR: Final = 500
_ID: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\Z")
_LONGEST: Final = 255  # characters of a name
_IMAGE: Final = "image.image"


class NoSuchImageError(RoutingError):
    """The cloud has no image of this id or name."""

    status = 404
    code = "copy.image"


class NoSuchCopyError(RoutingError):
    """The user has no copy of this id under way."""

    status = 404
    code = "copy.missing"


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a request asks for."""

    image: str
    source: str
    to: tuple[str, ...]


class Copies:
    """Begins copies, and answers how far they are.

    Args:
        runner: of operations.
        restore: makes what asks clouds on behalf of a user.
        known: the clouds that are known now.
    """

    def __init__(self, runner: Runner, restore: Restore, known: Callable[[], Known]) -> None:
        self._runner = runner
        self._restore = restore
        self._known = known
        self._callers = Callers()

    def endpoints(self) -> list[Endpoint]:
        """The rows of the gateway's table of paths."""
        return [Endpoint(COPIES_PATH, _METHODS, Audience.USERS, self._answer)]

    async def _answer(self, question: Question) -> web.Response:
        request = question.request
        token, _ = hdrs.split_token(request.headers.get(AUTH))
        asker = self._restore(Request(token or "", (), "image", "GET", "/", "", JSON, ()))
        caller = await self._callers.of(asker, self._target(self._known().entry))
        if request.method == "POST":
            wish = _wish(read_json(await document(request)), self._known())
            return await self._begin(wish, caller, token or "", asker)
        operation = await asyncio.to_thread(self._runner.store.get, caller, request.query.get("id", ""))
        if operation is None or operation.work is not Work.COPY:
            raise NoSuchCopyError("You have no such copy. A copy that has ended is kept for some days.")
        return answered({"copy": _shown(operation)})

    async def _begin(self, wish: _Wish, caller: str, token: str, asker: Asker) -> web.Response:
        image = await self._original(wish, asker)
        scope = scopes.format(self._target(wish.source).scope)
        request = Request(token, (), "image", "POST", "/v2/images", "", JSON, [image.to_json(), scope])
        key = f"copy:{image.mark}"
        digest = hashlib.sha256(json.dumps([image.mark, wish.to]).encode()).hexdigest()
        more = {
            "replica": secrets.token_hex(16),
            "intent": f"{Work.COPY} {Policy.KEEP}",
            "sealed": self._runner.seals.seal(request),
        }
        places = [location_of(self._target(cloud)) for cloud in wish.to]
        store = self._runner.store
        operation, mine = await asyncio.to_thread(store.begin, caller, key, digest, _IMAGE, places, more)
        if mine:
            steps = Steps(operation, request, asker, self._runner.means)
            self._runner.launch(operation, Copy(steps).run)
        elif operation.digest != digest:
            clouds = ", ".join(part.cloud for part in operation.parts)
            raise ReplicaBusyError(f"A copy of this image to {clouds} is under way. Try again when it has ended.")
        elif store.is_over(operation):
            # Nobody runs it now: the user's token may be a newer one than that on record.
            renewed = asyncio.create_task(self._runner.resume(operation, asker))
            renewed.add_done_callback(lambda task: task.cancelled() or task.exception())
        response = answered({"copy": _shown(operation, image)})
        response.set_status(_ACCEPTED)
        return response

    async def _original(self, wish: _Wish, asker: Asker) -> Original:
        """The image that is to be copied.

        Raises:
            OpenStackoidError: there is none, or several, or its cloud does not answer.
        """
        by_id = _ID.match(wish.image) is not None
        path = f"/v2/images/{wish.image}" if by_id else f"/v2/images?{urlencode({'name': wish.image, 'limit': 2})}"
        try:
            async with asyncio.timeout(self._runner.means.timeout):
                reply = await asker.send(self._target(wish.source), "GET", path, service="image")
        except TimeoutError:
            raise ReplicaFailedError(f"{wish.source} does not answer; nothing was copied.") from None
        if not reply.good and reply.status != NOT_FOUND:
            error = ReplicaFailedError if reply.status >= _SERVER_ERROR else ReplicaRefusedError
            raise error(f"{reason(reply, wish.source)}. Nothing was copied.")
        shown = parsed(reply) if reply.good else None
        if by_id or not isinstance(shown, dict):
            images = [] if shown is None else [shown]
        else:
            listed = shown.get("images")
            images = listed if isinstance(listed, list) else []
        if not images:
            raise NoSuchImageError(f"{wish.source} has no image {wish.image}. Nothing was copied.")
        if len(images) > 1:
            raise AmbiguousError(f"{wish.source} has several images named {wish.image}: name one by its id.")
        return original(wish.source, images[0])

    def _target(self, cloud: str) -> Target:
        entry = self._known().entry
        return Target(cloud, Scope.of({REST: Name(entry), "image": Name(cloud), "identity": Name(entry)}))


def _wish(body: Any, known: Known) -> _Wish:
    """Read a request.

    Raises:
        BadRequestError: it is malformed.
        UnknownCloudError: it names a cloud that is no peer.
    """
    given = body if isinstance(body, dict) else {}
    image, source, to = given.get("image"), given.get("from", known.entry), given.get("to")
    if not isinstance(image, str) or not 0 < len(image) <= _LONGEST or not image.isprintable():
        raise BadRequestError("Expected id or name of an image at image.")
    if not isinstance(to, list) or not 0 < len(to) <= known.most:
        raise BadRequestError("Expected a list of clouds at to.")
    for name in (source, *to):
        if not isinstance(name, str) or name not in known.clouds:
            raise UnknownCloudError(f"Expected one of {known.names}, got {str(name)[:64]!r}.")
    clouds = tuple(sorted(set(to)))
    if source in clouds:
        raise BadRequestError(f"Expected other clouds than {source} at to: the image is there.")
    return _Wish(image, source, clouds)


def _shown(operation: Operation, image: Original | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": operation.id,
        "done": operation.done,
        "clouds": [_cloud(part) for part in operation.parts],
    }
    if image is not None:
        shown["image"] = {
            "id": image.id,
            "name": image.name,
            "cloud": image.cloud,
            "size": image.size,
            "os_hash_algo": image.algorithm,
            "os_hash_value": image.digest,
        }
        shown["left"] = dict(image.left)
    return shown


def _cloud(part: Part) -> dict[str, Any]:
    state = part.stage.name.lower()
    if part.stage is Stage.DONE:
        state = "there" if part.status == THERE else "copied"
    return {
        "cloud": part.cloud,
        "id": part.resource_id or None,
        "state": state,
        "bytes": part.progress or 0,
        "error": part.code,
        "message": part.error,
    }
