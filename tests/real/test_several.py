"""Several clouds in one request, with the stock client and with pages, against what each cloud says by itself."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests
from tests.volume import FULL

from .conftest import CLOUDS, User
from .http_client import HttpClient

pytestmark = pytest.mark.topologies("each", "pass-through")

EVERYWHERE: Final = " & ".join(CLOUDS)
# How lists are merged does not depend on how tokens cross: in clouds of one owner, too, with the full volume.
MERGING: Final = ("each", "pass-through") if FULL else ("each",)
LISTS: Final = {
    ("image", "/v2/images", "images"): ("", "sort=name:asc", "sort_key=size&sort_dir=desc&sort_key=name&sort_dir=asc"),
    ("network", "/v2.0/networks", "networks"): ("", "sort_key=name&sort_dir=desc"),
    ("network", "/v2.0/security-groups", "security_groups"): ("",),
    ("compute", "/v2.1/flavors/detail", "flavors"): ("", "sort_key=memory_mb&sort_dir=desc"),
    ("compute", "/v2.1/os-keypairs", "keypairs"): ("",),
    ("compute", "/v2.1/servers/detail", "servers"): ("", "sort_key=display_name&sort_dir=asc"),
}


# What commands list -> the service, its path, the key of the items.
COMMANDS: Final = {
    "image": ("image", "/v2/images", "images"),
    "network": ("network", "/v2.0/networks", "networks"),
    "server": ("compute", "/v2.1/servers/detail", "servers"),
    "flavor": ("compute", "/v2.1/flavors/detail", "flavors"),
    "keypair": ("compute", "/v2.1/os-keypairs", "keypairs"),
    "security group": ("network", "/v2.0/security-groups", "security_groups"),
}


@pytest.fixture(scope="module")
def http(alice: User) -> HttpClient:
    return HttpClient(alice)


@pytest.fixture(scope="module")
def things(http: HttpClient) -> Iterator[None]:
    """Some images, networks and keypairs of hers in each cloud, and servers in two; names and times repeat."""
    made: list[tuple[str, str, str]] = []
    try:
        for cloud, names in (("CloudOne", ("several-b", "several-a")), ("CloudTwo", ("several-b",))):
            made += [("compute", path, cloud) for path in http.boot(cloud, *names)]
        for cloud in CLOUDS:
            for name in ("several-b", "several-a", "several-b"):
                image = {"name": name, "disk_format": "raw", "container_format": "bare"}
                path = f"/v2/images/{http.ask('POST', 'image', '/v2/images', cloud, image)['id']}"
                made.append(("image", path, cloud))
                # With a size: glance's pages by size have no end where an image has none (glance/db/sqlalchemy/api.py, _paginate_query).
                http.ask("PUT", "image", f"{path}/file", cloud, b"")
                network = http.ask("POST", "network", "/v2.0/networks", cloud, {"network": {"name": name}})["network"]
                made.append(("network", f"/v2.0/networks/{network['id']}", cloud))
            key = f"several-{cloud.lower()}"
            http.ask("POST", "compute", "/v2.1/os-keypairs", cloud, {"keypair": {"name": key}})
            made.append(("compute", f"/v2.1/os-keypairs/{key}", cloud))
        yield
    finally:
        for service, path, cloud in made:
            http.remove(service, path, cloud)


def alone(http: HttpClient, service: str, path: str, items: str) -> list[tuple[str, str]]:
    """(cloud, marker) of what each cloud lists by itself."""
    return [
        (cloud, marker(item))
        for cloud in CLOUDS
        for item in http.ask("GET", service, f"{path}?limit=100", cloud)[items]
    ]


@pytest.mark.topologies(*MERGING)
@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("kind", COMMANDS)
def test_list_commands_have_a_cloud_column(alice: User, http: HttpClient, kind: str) -> None:
    service, path, items = COMMANDS[kind]
    expected = alone(http, service, path, items)
    for expression in ("*", EVERYWHERE):
        rows = alice.json(f'openstack {kind} list --os-scope \'{{"{service}": "{expression}"}}\'')
        shown = [(row["Cloud"], row["Name" if kind == "keypair" else "ID"]) for row in rows]
        assert sorted(shown) == sorted(expected)


@pytest.mark.topologies(*MERGING)
@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(("service", "path", "items"), LISTS)
def test_pages_of_several_sizes_are_the_union(http: HttpClient, service: str, path: str, items: str) -> None:
    """By links, and by the id of the last item."""
    expected = alone(http, service, path, items)

    def get(url: str, scope: str) -> requests.Response:
        answer = http.send("GET", service, url, scope)
        assert answer.status_code == 200, answer.text
        assert "X-Scope-Missing" not in answer.headers
        return answer

    # `test_several_orders` has pages of more sizes.
    pages = tuple(product(range(1, len(expected) + 1), (False, True))) if FULL else ((2, False), (3, True), (7, False))
    for query in LISTS[service, path, items]:
        whole = walked(get, http.base(service), path, items, f"{query}&limit=100", by_id=False)
        assert sorted(whole) == sorted(expected)
        for size, by_id in pages:
            assert walked(get, http.base(service), path, items, f"{query}&limit={size}", by_id=by_id) == whole


def walked(
    get: Callable[[str, str], requests.Response], base: str, path: str, items: str, query: str, *, by_id: bool
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    url = f"{base}{path}?{query.lstrip('&')}"
    while True:
        answer = get(url, EVERYWHERE)
        document: dict[str, Any] = answer.json()
        ids = [marker(item) for item in document[items]]
        found += zip(clouds(answer), ids, strict=True)
        link = next(
            (link["href"] for link in document.get(f"{items}_links", ()) if link["rel"] == "next"), document.get("next")
        )
        if by_id:
            if not ids:
                return found
            url = f"{base}{path}?{query.lstrip('&')}&marker={ids[-1]}"
        elif link is None:
            return found
        else:
            url = link if urlsplit(link).scheme else f"{base}{link}"
            assert url.startswith(base)


def clouds(answer: requests.Response) -> list[str]:
    names, _, runs = answer.headers["X-Scope-Items"].partition(";")
    found: list[str] = []
    for run in runs.split():
        index, _, count = run.partition("*")
        found += [names.split()[int(index)]] * int(count or 1)
    return found


def marker(item: dict[str, Any]) -> str:
    return str(item["keypair"]["name"] if "keypair" in item else item["id"])


def test_one_image_is_found_by_name_and_by_id(alice: User, http: HttpClient) -> None:
    image = http.ask("GET", "image", "/v2/images?name=cirros-cloudtwo", "CloudTwo")["images"][0]
    for name in (image["id"], "cirros-cloudtwo"):
        shown = alice.json(f'openstack image show {name} --os-scope \'{{"image": "*"}}\'')
        assert shown["id"] == image["id"]
    first = alice.json('openstack image show cirros-cloudtwo --os-scope \'{"image": "CloudOne | CloudTwo"}\'')
    assert first["id"] == image["id"]
    several = alice.run('openstack server group create several --os-scope \'{"compute": "*"}\'')
    assert several.returncode != 0
    assert "not served of several clouds" in several.stderr


def test_limits_and_quotas_are_those_of_all_clouds(alice: User, http: HttpClient) -> None:
    """By the stock client: the sum of what each cloud says."""
    project = alice.ids[1]
    limits = [http.ask("GET", "compute", "/v2.1/limits", cloud)["limits"]["absolute"] for cloud in CLOUDS]
    quotas = [http.ask("GET", "network", f"/v2.0/quotas/{project}", cloud)["quota"] for cloud in CLOUDS]
    rows = alice.json('openstack limits show --absolute --os-scope \'{"compute": "*"}\'')
    shown = {row["Name"]: row["Value"] for row in rows}
    assert int(shown["total_cores"]) == sum(limit["maxTotalCores"] for limit in limits)
    rows = alice.json('openstack quota show --network --os-scope \'{"network": "*"}\'')
    shown = {row["Resource"]: row["Limit"] for row in rows}
    assert int(shown["networks"]) == sum(quota["network"] for quota in quotas)
