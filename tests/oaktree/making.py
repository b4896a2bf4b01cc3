"""A cloud at the wire in which things can be created: Keystone, Nova, Neutron, Cinder and Glance. It counts, and can hold answers."""

import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.oaktree.keystone import PROJECT, Keystone
from tests.oaktree.upstream import Seen, reply

# What a test has a cloud do: bytes to answer instead, b"" for no answer at all, None to go on.
Hook = Callable[[Seen], bytes | None]
_SERVICES = {"compute": "/compute/v2.1", "network": "/network", "image": "/image", "block-storage": "/volume/v3"}
# path below the root of the API -> the name of one, and of many
_COLLECTIONS = {
    "/compute/v2.1/servers": ("server", "servers"),
    "/compute/v2.1/os-keypairs": ("keypair", "keypairs"),
    "/network/v2.0/networks": ("network", "networks"),
    "/network/v2.0/security-group-rules": ("security_group_rule", "security_group_rules"),
    "/volume/v3/volumes": ("volume", "volumes"),
    "/image/v2/images": ("", "images"),
}


class Cloud(Keystone):
    """One cloud.

    Attributes:
        made: collection ("servers") -> id -> JSON, as the API shows it.
        creates: bodies of requests that created something, in their order.
        deletes: ids.
        before: called with every request that creates, before it does.
        after: the same, when it is done and not answered.
        during_upload: the same, before an image's data is taken.
        statuses: those that a new server has, one after the other each time that it is read.
        data: image id -> its bytes.
    """

    def __init__(self) -> None:
        self.made: dict[str, dict[str, dict[str, Any]]] = {many: {} for _, many in _COLLECTIONS.values()}
        self.creates: list[dict[str, Any]] = []
        self.deletes: list[str] = []
        self.before: Hook = lambda _: None
        self.after: Hook = lambda _: None
        self.during_upload: Hook = lambda _: None
        self.statuses: list[str] = ["ACTIVE"]
        self.data: dict[str, bytes] = {}
        self._left: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        super().__init__(_SERVICES)

    @property
    def servers(self) -> dict[str, dict[str, Any]]:
        return self.made["servers"]

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        match = re.fullmatch(r"(/\w+/v[\d.]+/[\w-]+)(?:/([^/]+))?(/file)?", path)
        if not match or match[1] not in _COLLECTIONS:
            return super()._serve(seen, path)
        one, many = _COLLECTIONS[match[1]]
        if seen.method == "POST":
            return self._held(self.before, seen) or self._create(seen, one, many)
        if match[3]:
            return self._held(self.during_upload, seen) or self._upload(match[2], seen.body)
        with self._lock:
            return self._read(seen, one, many, match[2])

    @staticmethod
    def _held(hook: Hook, seen: Seen) -> bytes | None:
        answer = hook(seen)
        if answer == b"":
            raise OSError("as the test wants it")
        return answer

    def _create(self, seen: Seen, one: str, many: str) -> bytes:
        body = json.loads(seen.body)
        asked = body[one] if one else body
        with self._lock:
            self.creates.append(asked)
            name = asked["name"] if many == "keypairs" else asked.get("id") or str(uuid.uuid4())
            # Glance never takes an id again.
            if name in self.made[many] or (many == "images" and name in self.deletes):
                return reply(409, {"conflictingRequest": {"code": 409, "message": f"{name} exists"}})
            made = {"id": name, "status": "ACTIVE", "project_id": PROJECT, **asked}
            answer = dict(made)
            match many:
                case "servers":
                    for secret in ("adminPass", "user_data"):
                        made.pop(secret, None)
                    self._left[name] = list(self.statuses)
                    made |= {"status": self.statuses[0], "progress": 0}
                    answer = {"id": name, "links": [], "adminPass": asked.get("adminPass", "made-up-Secret")}
                case "keypairs":
                    made = {"name": name, "fingerprint": "f", "type": "ssh", "public_key": "ssh-rsa A"}
                    answer = {**made, "private_key": "made-up-private-key"}
                case "volumes":
                    made["status"] = answer["status"] = "available"
                case "images":
                    made["status"] = answer["status"] = "queued"
            self.made[many][name] = made
        return self._held(self.after, seen) or reply(201, {one: answer} if one else answer)

    def _upload(self, name: str, data: bytes) -> bytes:
        with self._lock:
            self.data[name] = data
            image = self.made["images"][name]
            image |= {
                "status": "active",
                "size": len(data),
                "os_hash_algo": "sha512",
                "os_hash_value": hashlib.sha512(data).hexdigest(),
            }
        return reply(204)

    def _read(self, seen: Seen, one: str, many: str, name: str | None) -> bytes:
        shown = self.made[many]
        if name in (None, "detail"):
            wanted = re.search(r"[?&]name=([^&]+)", seen.target)
            found = [each for each in shown.values() if not wanted or each["name"] == wanted[1]]
            return reply(200, {many: [{one: each} for each in found] if many == "keypairs" else found})
        if name not in shown:
            return reply(404, {"itemNotFound": {"code": 404, "message": f"{name} could not be found."}})
        if seen.method == "DELETE":
            self.deletes.append(name)
            del shown[name]
            return reply(204)
        if left := self._left.get(name):
            shown[name]["status"] = left.pop(0) if len(left) > 1 else left[0]
        return reply(200, {one: shown[name]} if one else shown[name])


@contextmanager
def clouds(*names: str) -> Iterator[dict[str, Cloud]]:
    made = {name: Cloud() for name in names}
    try:
        yield made
    finally:
        for each in made.values():
            each.close()
