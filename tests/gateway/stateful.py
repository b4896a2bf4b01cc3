"""A cloud at the wire that keeps what is created in it: networks, security groups and their rules, images, key pairs, servers."""

import hashlib
import json
import re
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from tests.gateway.wire import Cloud, Seen, reply

# Collection -> (service, key of one, key of the list).
KINDS: Final = {
    "/v2.0/networks": ("network", "network", "networks"),
    "/v2.0/subnets": ("network", "subnet", "subnets"),
    "/v2.0/security-groups": ("network", "security_group", "security_groups"),
    "/v2.0/security-group-rules": ("network", "security_group_rule", "security_group_rules"),
    "/v2/images": ("image", "", "images"),
    "/v2.1/os-keypairs": ("compute", "keypair", "keypairs"),
    "/v2.1/flavors": ("compute", "flavor", "flavors"),
    "/v2.1/servers": ("compute", "server", "servers"),
}
_FILTERS: Final = ("description", "name", "openstackoid_copy_of", "os_hidden")
LOST: Final = b""  # what a handler answers whose answer is lost
CUT: Final = b"CUT "  # before an answer that breaks off
Rule = Callable[[Seen, str], bytes | None]


class Stateful:
    """The state of one cloud.

    Attributes:
        things: collection -> id -> resource.
        before: asked before each request with the request and the cloud's name; bytes are answered without any effect.
        after: asked after the effect; bytes are answered instead, and `LOST` means that no answer comes.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.name = cloud.name
        self.things: dict[str, dict[str, dict[str, Any]]] = {path: {} for path in KINDS}
        self.before: Rule = lambda _seen, _name: None
        self.after: Rule = lambda _seen, _name: None
        self.lock = threading.Lock()
        self.data: dict[str, bytes] = {}  # of images
        self.algorithm = "sha512"  # of its image service
        for path, (service, _, _) in KINDS.items():
            cloud[service].on(path, self._answer)

    def named(self, collection: str, name: str) -> list[dict[str, Any]]:
        with self.lock:
            return [thing for thing in self.things[collection].values() if thing.get("name") == name]

    def _answer(self, seen: Seen, connection: socket.socket) -> bytes | None:
        answer = self.before(seen, self.name)
        if answer is None:
            with self.lock:
                answer = self._changed(seen)
            instead = self.after(seen, self.name)
            answer = answer if instead is None else instead
        if answer.startswith(CUT):
            connection.sendall(answer.removeprefix(CUT))
            answer = LOST
        if answer == LOST:
            connection.shutdown(socket.SHUT_RDWR)
            return None
        return answer

    def _changed(self, seen: Seen) -> bytes:
        path, _, query = seen.target.partition("?")
        found = re.fullmatch(r"(/v[\d.]+/[a-z-]+?)(?:/detail)?(?:/([^/]+))?(/.*)?", path)
        assert found, path
        collection, name = found[1], unquote(found[2]) if found[2] and found[2] != "detail" else None
        _, item, items = KINDS[collection]
        things = self.things[collection]
        if collection == "/v2/images" and found[3] == "/file" and name is not None:
            return self._file(seen, things[name]) if name in things else reply(404, {"message": f"no {name} here"})
        body: Any = json.loads(seen.raw) if seen.raw else None
        if seen.method == "POST" and found[3] == "/action" and name in things:
            things[name].setdefault("acted", []).extend(body)
            return reply(202)
        if seen.method == "POST":
            given = dict(body[item] if item else body)
            key = given["name"] if item == "keypair" else given.get("id") or str(uuid.uuid4())
            if key in things:
                return reply(409, {"conflict": {"message": f"{key} is there"}})
            things[key] = given | {"id": key}
            if collection == "/v2/images":
                things[key] = (
                    {"os_hidden": False, "visibility": "shared", "size": None} | things[key] | {"status": "queued"}
                )
            return reply(201, {item: things[key]} if item else things[key])
        if name is None:
            wanted = parse_qs(query)
            shown = [
                thing
                for thing in things.values()
                if all(_text(thing.get(field)) == wanted[field][0] for field in _FILTERS if field in wanted)
            ]
            return reply(200, {items: [{item: thing} if item == "keypair" else thing for thing in shown]})
        if name not in things:
            return reply(404, {"itemNotFound": {"message": f"no {name} here"}})
        if seen.method == "DELETE":
            del things[name]
            return reply(204)
        if seen.method == "PUT":
            things[name] |= body[item]
        if seen.method == "PATCH":
            for change in body:
                if change["op"] == "remove":
                    del things[name][change["path"].strip("/")]
                else:
                    things[name][change["path"].strip("/")] = change["value"]
        return reply(200, {item: things[name]} if item else things[name])

    def _file(self, seen: Seen, image: dict[str, Any]) -> bytes:
        """Data of an image."""
        if seen.method == "GET":
            if image["status"] != "active":
                return reply(204)
            return reply(200, self.data[image["id"]], {"Content-Type": "application/octet-stream"})
        if image["status"] != "queued":
            return reply(409, {"message": "it has data"})
        self.fill(image, seen.raw)
        return reply(204)

    def fill(self, image: dict[str, Any], data: bytes) -> None:
        """Give an image its data."""
        self.data[image["id"]] = data
        image |= {"status": "active", "size": len(data), "os_hash_algo": self.algorithm}
        image["os_hash_value"] = hashlib.new(self.algorithm, data).hexdigest()


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
