"""A cloud at the wire with what a server needs: Nova, Glance, Neutron and Cinder; ids of its own for the names that all clouds share."""

import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.oaktree.keystone import PROJECT, Keystone, clouds_yaml
from tests.oaktree.upstream import Seen, reply
from tests.oaktree.world import Oaktree

from oaktree.client import Oaktree as Client


class WholeCloud(Keystone):
    """Resources of four services, to list, read, create and delete.

    Attributes:
        resources: kind -> id -> JSON, as its service shows it.
        posted: (kind, JSON) of each create, in their order.
        hints: for Nova's scheduler, of the creates that had some.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.resources: dict[str, dict[str, dict[str, Any]]] = {}
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.hints: list[dict[str, Any]] = []
        self.reset()
        super().__init__(
            {
                "compute": "/compute/v2.1",
                "image": "/image/v2",
                "network": "/network/v2.0",
                "block-storage": "/volume/v3",
            }
        )

    def reset(self) -> None:
        """An image, a flavor, a network of the project's own and an external one; nothing else."""
        for kind in ("servers", "flavors", "images", "networks", "ports", "floatingips", "volumes", "os-server-groups"):
            self.resources[kind] = {}
        self.posted.clear()
        self.hints.clear()
        self.add("images", "cirros", status="active")
        self.add("flavors", "small", vcpus=1, ram=64, disk=1)
        self.add("networks", "private", **{"router:external": False})
        self.add("networks", "public", **{"router:external": True})

    def add(self, kind: str, name: str, **more: Any) -> str:
        """One more; returns its id, which no other cloud has."""
        made = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name} {kind} {name} {len(self.resources[kind])}"))
        self.resources[kind][made] = {"id": made, "name": name, **more}
        return made

    def id(self, kind: str, name: str) -> str:
        """The id of the one of this name."""
        return str(next(each["id"] for each in self.resources[kind].values() if each["name"] == name))

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        match = re.fullmatch(r"/(compute/v2\.1|image/v2|network/v2\.0|volume/v3)/([\w-]+)(?:/([\w-]+))?", path)
        if match is None or match[2] not in self.resources:
            return super()._serve(seen, path)
        kind, found = match[2], self.resources[match[2]]
        if seen.method == "POST":
            return self._create(kind, json.loads(seen.body))
        if match[3] and match[3] != "detail":
            if match[3] not in found:
                return reply(
                    404, {"itemNotFound": {"code": 404, "message": "not here"}}, {"X-Openstack-Request-Id": "r"}
                )
            if seen.method == "DELETE":
                del found[match[3]]
                return reply(204)
            one = found[match[3]]
            return reply(200, one if kind == "images" else {_key(kind).removesuffix("s"): one})
        wanted = {name: values[0] for name, values in parse_qs(urlsplit(seen.target).query).items()}
        shown = [each for each in found.values() if all(_same(each.get(n), v) for n, v in wanted.items() if n in each)]
        return reply(200, {_key(kind): shown})

    def _create(self, kind: str, document: dict[str, Any]) -> bytes:
        given = document[kind.removesuffix("s")]
        self.posted.append((kind, given))
        if "OS-SCH-HNT:scheduler_hints" in document:
            self.hints.append(document["OS-SCH-HNT:scheduler_hints"])
        made = self.add(kind, given.get("name", ""), **{name: value for name, value in given.items() if name != "name"})
        if kind == "servers":
            self.resources[kind][made] |= {"status": "ACTIVE", "tenant_id": PROJECT, "addresses": {}}
            network = given["networks"][0]["uuid"] if isinstance(given.get("networks"), list) else ""
            self.add("ports", "", device_id=made, network_id=network, fixed_ips=[{"ip_address": "10.0.0.5"}])
        shown = self.resources[kind][made]
        return reply(202 if kind == "servers" else 201, {kind.removesuffix("s"): shown})


def _same(found: Any, wanted: str) -> bool:
    return str(found).lower() == wanted.lower()


def _key(kind: str) -> str:
    return kind.removeprefix("os-").replace("-", "_")


@dataclass
class World:
    """An oaktree before two clouds, each with the same names."""

    client: Client
    clouds: dict[str, WholeCloud]
    address: str


@contextlib.contextmanager
def two_clouds(folder: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        clouds = {name: stack.enter_context(contextlib.closing(WholeCloud(name))) for name in ("one", "two")}
        unix = folder / "oaktree.sock"
        server = Oaktree(folder, clouds_yaml(folder, clouds), unix=unix)
        stack.callback(server.stop)
        yield World(Client(stack.enter_context(server.channel())), clouds, f"unix:{unix}")
