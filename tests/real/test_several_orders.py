"""Every list of compute, image and network that pages, in every order that its API offers: pages of several clouds against each cloud's own answer.

By plain HTTP; what a cloud's API does not have is left out. Clouds of several owners, with pseudonyms, HAProxy in front.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pytest
import requests
from tests.volume import FULL, volume

from openstackoid.core.lists import Listing, Sorting, listing
from openstackoid.core.partial import read_items

from .conftest import CLOUDS, User
from .http_client import HttpClient
from .test_several import EVERYWHERE, clouds, marker, walked

pytestmark = pytest.mark.topologies("same")

# What the services sort by, beside the keys that `core.lists` names: glance/api/v2/images.py; neutron sorts by attributes.
KEYS: Final = {
    "image": ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at"),
    "network": ("id", "name", "tenant_id", "description", "created_at"),
    "flavors": ("flavorid", "name", "memory_mb", "vcpus", "root_gb", "ephemeral_gb", "swap", "is_public", "id"),
    "servers": ("created_at", "updated_at", "display_name", "uuid", "vm_state", "host", "key_name", "project_id"),
}
NEW: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("image", "/v2/images", {"disk_format": "raw", "container_format": "bare"}),
    ("network", "/v2.0/networks", {}),
    ("network", "/v2.0/security-groups", {}),
    ("network", "/v2.0/address-groups", {}),
)


@pytest.fixture(scope="module")
def wire(alice: User) -> Iterator[HttpClient]:
    """With two things of each kind in each cloud, of the same names, and servers in two clouds."""
    wire, made = HttpClient(alice), []
    for cloud, names in (("CloudOne", ("order-b", "order-a")), ("CloudTwo", ("order-b",))):
        made += [("compute", path, cloud) for path in wire.boot(cloud, *names)]
    for cloud in CLOUDS:
        wire.ask("POST", "compute", "/v2.1/os-keypairs", cloud, {"keypair": {"name": f"order-{cloud.lower()}"}})
        made.append(("compute", f"/v2.1/os-keypairs/order-{cloud.lower()}", cloud))
        for service, path, fields in NEW:
            item = path.rpartition("/")[2].rstrip("s").replace("-", "_")
            for name in ("order-b", "order-a"):
                given = {"name": name} | fields
                answer = wire.send("POST", service, path, cloud, given if service == "image" else {item: given})
                if answer.status_code == requests.codes.created:
                    document = answer.json()
                    made.append((service, f"{path}/{document.get(item, document)['id']}", cloud))
                    if item == "network":
                        made += _on(wire, cloud, document[item]["id"], name)
    yield wire
    for service, path, cloud in reversed(made):
        wire.remove(service, path, cloud)


def _on(wire: HttpClient, cloud: str, network: str, name: str) -> Iterator[tuple[str, str, str]]:
    """A subnet and a port of a network, and a router, of the same name."""
    common = {"name": name, "network_id": network}
    for item, fields in (
        ("subnet", common | {"ip_version": 4, "cidr": "10.79.0.0/24", "enable_dhcp": False}),
        ("port", common),
        ("router", {"name": name}),
    ):
        document = wire.ask("POST", "network", f"/v2.0/{item}s", cloud, {item: fields})
        yield "network", f"/v2.0/{item}s/{document[item]['id']}", cloud


PATHS: Final = {
    "compute": ("/v2.1/servers/detail", "/v2.1/flavors/detail", "/v2.1/os-keypairs"),
    "image": ("/v2/images",),
    "network": tuple(
        f"/v2.0/{name}"
        for name in (
            "networks",
            "subnets",
            "ports",
            "routers",
            "security-groups",
            "security-group-rules",
            "address-groups",
        )
    ),
}


@pytest.mark.parametrize(("service", "path"), [(service, path) for service, paths in PATHS.items() for path in paths])
def test_pages_in_every_order_are_the_union(wire: HttpClient, service: str, path: str) -> None:
    row = listing(service, path)
    assert row is not None
    items: list[dict[str, Any]] = []
    alone: list[tuple[str, str]] = []
    for cloud in CLOUDS:
        answer = wire.send("GET", row.service, f"{path}?limit=100", cloud)
        if answer.status_code in {403, 404}:
            pytest.skip(f"{cloud} has no such list for its users: {answer.status_code}")
        assert answer.status_code == requests.codes.ok, answer.text
        items += answer.json()[row.items]
        alone += [(cloud, marker(item)) for item in answer.json()[row.items]]
    assert len(alone) > 1, "nothing to put in order"

    def get(url: str, scope: str) -> requests.Response:
        answer = wire.send("GET", row.service, url, scope)
        assert answer.status_code == requests.codes.ok, answer.text
        assert "X-Scope-Missing" not in answer.headers
        return answer

    orders = ["", *_orders(wire, row, path, items)]
    for query in orders:
        answer = get(f"{path}?{query}&limit=300", EVERYWHERE)
        whole = list(zip(clouds(answer), map(marker, answer.json()[row.items]), strict=True))
        assert sorted(whole) == sorted(alone), query
        _is_in_order(answer, row, query)
        sizes = _sizes(len(alone)) if not query else (volume(8),)
        for size in sizes:
            # By the id of the last item only where most pages are, without the full volume.
            for by_id in (False, True) if not query and (FULL or size == sizes[0]) else (False,):
                pages = walked(get, wire.base(row.service), path, row.items, f"{query}&limit={size}", by_id=by_id)
                assert pages == whole, (query, size, by_id)


def _sizes(items: int) -> Sequence[int]:
    """Sizes of pages: all, with the full volume. Else small ones, of one item where a list is short, and those around the whole list."""
    return range(1, items + 2) if FULL else sorted({max(1, items // 12), 5, items, items + 1} - {0})


def _orders(wire: HttpClient, row: Listing, path: str, items: Sequence[Mapping[str, Any]]) -> list[str]:
    """The queries for an order that the service takes.

    Not by what a queued image does not have, such as its size: glance alone loses images after such a marker, since it compares the empty
    string with numbers (glance/db/sqlalchemy/api.py, _paginate_query).
    """
    keys = KEYS.get(row.items, KEYS.get(row.service, ())) if row.sorting is not Sorting.NONE else ()
    keys = tuple(key for key in keys if row.service != "image" or all(item.get(key) is not None for item in items))
    # Each key in one direction, with the full volume in both.
    both = ("asc", "desc")
    ways = [both if volume(2) == len(both) else both[number % 2 :][:1] for number in range(len(keys))]
    queries = [f"sort_key={key}&sort_dir={way}" for key, chosen in zip(keys, ways, strict=True) for way in chosen]
    return [
        query
        for query in queries
        if wire.send("GET", row.service, f"{path}?{query}", "CloudOne").status_code == requests.codes.ok
    ]


def _is_in_order(answer: requests.Response, row: Listing, query: str) -> None:
    """Of each two neighbours from different clouds, the first is not behind the second by the first sort key, where the answer shows it."""
    pairs = [tuple(part.split("=")) for part in query.split("&") if part]
    order = row.order([(name, value) for name, value in pairs])
    if not order.keys:
        return
    key, sources = order.keys[0], read_items(answer.headers["X-Scope-Items"])
    values = [item.get(key.field) for item in answer.json()[row.items]]
    if not all(isinstance(value, str) for value in values) and not all(isinstance(value, int) for value in values):
        return
    for cloud in set(sources):
        own = [value for value, name in zip(values, sources, strict=True) if name == cloud]
        if own != sorted(own, reverse=key.descending):
            return  # the cloud's database sorts in another way: its order stays
    assert values == sorted(values, reverse=key.descending), query
