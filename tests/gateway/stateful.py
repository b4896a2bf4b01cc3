"""A cloud at the wire that keeps what is created in it: networks, security groups and their rules, images, key pairs, servers."""

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
LOST: Final = b""  # what a handler answers whose answer is lost
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
        body: Any = json.loads(seen.raw) if seen.raw else None
        if seen.method == "POST":
            given = dict(body[item] if item else body)
            key = given["name"] if item == "keypair" else given.get("id") or str(uuid.uuid4())
            if key in things:
                return reply(409, {"conflict": {"message": f"{key} is there"}})
            things[key] = given | {"id": key}
            return reply(201, {item: things[key]} if item else things[key])
        if name is None:
            wanted = parse_qs(query)
            shown = [
                thing
                for thing in things.values()
                if all(thing.get(field) == wanted[field][0] for field in ("description", "name") if field in wanted)
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
            things[name] |= {change["path"].strip("/"): change["value"] for change in body}
        return reply(200, {item: things[name]} if item else things[name])
