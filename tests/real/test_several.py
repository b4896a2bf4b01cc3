"""Several clouds in one request, with the stock client and with pages, against what each cloud says by itself."""

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests

from openstackoid.lab import Lab

from .conftest import CLOUDS, User

pytestmark = pytest.mark.topologies("each", "pass-through")

EVERYWHERE: Final = " & ".join(CLOUDS)
LISTS: Final = {
    ("image", "/v2/images", "images"): ("", "sort=name:asc", "sort_key=size&sort_dir=desc&sort_key=name&sort_dir=asc"),
    ("network", "/v2.0/networks", "networks"): ("", "sort_key=name&sort_dir=desc"),
    ("network", "/v2.0/security-groups", "security_groups"): ("",),
    ("compute", "/v2.1/flavors/detail", "flavors"): ("", "sort_key=memory_mb&sort_dir=desc"),
    ("compute", "/v2.1/os-keypairs", "keypairs"): ("",),
    ("compute", "/v2.1/servers/detail", "servers"): ("", "sort_key=display_name&sort_dir=asc"),
}


@pytest.fixture(scope="module")
def things(alice: User) -> Iterator[None]:
    """Some images, networks and keypairs of hers in each cloud; names and times repeat."""
    for cloud in CLOUDS:
        for name in ("b", "a", "b"):
            alice.ok(
                f"openstack image create --disk-format raw --container-format bare several-{name} --os-scope image={cloud}"
            )
            alice.ok(f"openstack network create several-{name} --os-scope network={cloud}")
        alice.ok(f"openstack keypair create several-{cloud.lower()} --os-scope compute={cloud}")
    yield
    for cloud in CLOUDS:
        for kind in ("image", "network"):
            rows = alice.json(f"openstack {kind} list --os-scope {kind}={cloud}")
            ids = [row["ID"] for row in rows if row["Name"].startswith("several-")]
            alice.ok(f"openstack {kind} delete {' '.join(ids)} --os-scope {kind}={cloud}")
        alice.ok(f"openstack keypair delete several-{cloud.lower()} --os-scope compute={cloud}")


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("kind", ["image", "network", "server", "flavor", "keypair", "security group"])
def test_list_commands_have_a_cloud_column(alice: User, kind: str) -> None:
    service = {"image": "image", "network": "network", "security group": "network"}.get(kind, "compute")
    column = "Name" if kind == "keypair" else "ID"
    expected = {
        (cloud, row[column])
        for cloud in CLOUDS
        for row in alice.json(f"openstack {kind} list --os-scope {service}={cloud}")
    }
    for expression in ("*", EVERYWHERE):
        rows = alice.json(f'openstack {kind} list --os-scope \'{{"{service}": "{expression}"}}\'')
        assert len(rows) == len(expected)
        assert {(row["Cloud"], row[column]) for row in rows} == expected


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("by_id", [False, True], ids=["links", "last id"])
@pytest.mark.parametrize(("service", "path", "items"), LISTS)
def test_pages_of_every_size_are_the_union(
    lab: Lab, alice: User, service: str, path: str, items: str, by_id: bool
) -> None:
    token, base = alice.token(), lab.clouds["CloudOne"].frontend(service)
    for query in LISTS[service, path, items]:

        def get(url: str, scope: str) -> requests.Response:
            answer = requests.get(
                url, headers={"X-Auth-Token": token, "X-Scope": f'{{"{service}":"{scope}"}}'}, timeout=60
            )
            assert answer.status_code == 200, answer.text
            assert "X-Scope-Missing" not in answer.headers
            return answer

        alone = [
            (cloud, marker(item))
            for cloud in CLOUDS
            for item in get(f"{base}{path}?{query}&limit=100", cloud).json()[items]
        ]
        whole = walked(get, base, path, items, f"{query}&limit=100", by_id=False)
        assert sorted(whole) == sorted(alone)
        for size in range(1, len(alone) + 1):
            assert walked(get, base, path, items, f"{query}&limit={size}", by_id=by_id) == whole


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


@pytest.mark.usefixtures("things")
def test_one_image_is_found_by_name_and_by_id(alice: User) -> None:
    image = alice.json("openstack image show cirros-cloudtwo --os-scope image=CloudTwo")
    for name in (image["id"], "cirros-cloudtwo"):
        shown = alice.json(f'openstack image show {name} --os-scope \'{{"image": "*"}}\'')
        assert shown["id"] == image["id"]
    first = alice.json('openstack image show cirros-cloudtwo --os-scope \'{"image": "CloudOne | CloudTwo"}\'')
    assert first["id"] == image["id"]
    several = alice.run('openstack server group create several --os-scope \'{"compute": "*"}\'')
    assert several.returncode != 0
    assert "not served of several clouds" in several.stderr


def test_limits_and_quotas_are_those_of_all_clouds(alice: User) -> None:
    """By the stock client: the sum of what it shows of each cloud."""

    def cores(scope: str) -> int:
        rows = alice.json(f'openstack limits show --absolute --os-scope \'{{"compute": "{scope}"}}\'')
        return next(int(row["Value"]) for row in rows if row["Name"] == "total_cores")

    def networks(scope: str) -> int:
        rows = alice.json(f'openstack quota show --network --os-scope \'{{"network": "{scope}"}}\'')
        return next(int(row["Limit"]) for row in rows if row["Resource"] == "networks")

    assert cores("*") == sum(map(cores, CLOUDS))
    assert networks("*") == sum(map(networks, CLOUDS))
