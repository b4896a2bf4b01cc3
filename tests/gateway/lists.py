"""Lists that page as OpenStack's services do: for clouds behind gateways, and for the merger itself."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from multidict import CIMultiDict

from openstackoid.core.errors import PeerUnreachableError
from openstackoid.core.lists import Listing, listing
from openstackoid.gateway.fanout.asking import Reply

ROWS: Final = {
    "servers": ("compute", "/v2.1/servers/detail"),
    "brief": ("compute", "/v2.1/servers"),
    "flavors": ("compute", "/v2.1/flavors/detail"),
    "keypairs": ("compute", "/v2.1/os-keypairs"),
    "images": ("image", "/v2/images"),
    "networks": ("network", "/v2.0/networks"),
    "projects": ("identity", "/v3/projects"),
}


def row(name: str) -> Listing:
    found = listing(*ROWS[name])
    assert found is not None
    return found


@dataclass
class FakeCloud:
    """A cloud that pages by limit and marker, as the services do."""

    of: Listing
    items: list[dict[str, Any]]
    largest: int = 5
    fails: Callable[[int], bool] = lambda _: False
    asked: int = 0
    ignores_marker: bool = False
    ignores_pages: bool = False  # as nova's key pairs before 2.35
    status: int = 200
    body: bytes | None = None  # the answer, whatever is asked
    queries: list[str] = field(default_factory=list)

    def answer(self, query: str) -> Reply:
        self.asked += 1
        self.queries.append(query)
        if self.fails(self.asked):
            raise PeerUnreachableError("gone")
        given_ = dict(parse_qsl(query))
        if self.body is not None:
            return Reply(200, CIMultiDict(), self.body)
        if self.status != 200:
            return Reply(self.status, CIMultiDict(), b'{"error": {"message": "no"}}')
        keys = self.of.order(parse_qsl(query)).keys
        items = [item for item in self.items if "name" not in given_ or item["name"] == given_["name"]]
        for key in reversed(keys):
            items.sort(key=lambda item: shown(item, key.field), reverse=key.descending)
        if self.ignores_pages:
            return Reply(200, CIMultiDict(), json.dumps({self.of.items: items}).encode())
        start = 0
        if "marker" in given_ and not self.ignores_marker:
            ids = [self.id(item) for item in items]
            if given_["marker"] not in ids:
                return Reply(400, CIMultiDict(), b"{}")
            start = ids.index(given_["marker"]) + 1
        size = min(int(given_.get("limit", self.largest)), self.largest)
        page = items[start : start + size]
        document: dict[str, Any] = {self.of.items: page}
        if start + size < len(items):
            url = f"http://peer/x?marker={self.id(page[-1])}"
            links: dict[str, dict[str, Any]] = {
                "NAMED": {f"{self.of.items}_links": [{"rel": "next", "href": url}]},
                "FIELD": {"next": url},
                "OBJECT": {"links": {"next": url}},
            }
            document |= links[self.of.next_link.name]
        return Reply(200, CIMultiDict({"Content-Type": "application/json"}), json.dumps(document).encode())

    def id(self, item: dict[str, Any]) -> str:
        return str(shown(item, self.of.marker))


def shown(item: dict[str, Any], name: str) -> Any:
    return item["keypair"]["name"] if name == "keypair.name" else item.get(name)


def next_link(of: Listing, document: dict[str, Any]) -> str | None:
    found: str | None
    match of.next_link.name:
        case "NAMED":
            found = next((link["href"] for link in document.get(f"{of.items}_links", ())), None)
        case "FIELD":
            found = document.get("next")
        case _:
            found = document["links"]["next"]
    return found
