"""Names, addresses and files of a lab, without one."""

from pathlib import Path

import pytest

from openstackoid.lab import LabError
from openstackoid.lab.layout import GATEWAY, SERVICES, plan

HERE = Path("/lab")


def test_each_cloud_has_a_network_of_its_own() -> None:
    clouds = plan(HERE, ["CloudOne", "CloudTwo", "CloudThree"], "127.0.1.0")
    assert [(cloud.backend_host, cloud.frontend_host) for cloud in clouds.values()] == [
        ("127.0.1.1", "127.0.1.2"),
        ("127.0.2.1", "127.0.2.2"),
        ("127.0.3.1", "127.0.3.2"),
    ]


def test_usual_ports_and_paths() -> None:
    cloud = plan(HERE, ["One"], "127.0.7.0")["One"]
    assert {kind: cloud.endpoint(kind) for kind in SERVICES} == {
        "identity": "http://127.0.7.2:5000/v3",
        "image": "http://127.0.7.2:9292",
        "placement": "http://127.0.7.2:8778",
        "compute": "http://127.0.7.2:8774/v2.1",
        "network": "http://127.0.7.2:9696",
    }
    assert cloud.backend("image") == "http://127.0.7.1:9292"


def test_nothing_listens_where_something_else_does() -> None:
    clouds = plan(HERE, ["One", "Two", "Three"], "127.0.1.0")
    taken = [address for cloud in clouds.values() for part in cloud.parts for address in cloud.listens(part)]
    # Backends, frontends, health, and the door for other clouds.
    assert len(taken) == len(set(taken)) == 3 * (5 + 5 + 1 + 1)


def test_only_a_cloud_of_another_owner_has_a_door() -> None:
    for with_gateway, federated, doors in ((True, True, 1), (True, False, 0), (False, True, 0)):
        cloud = plan(HERE, ["One"], "127.0.1.0", with_gateway=with_gateway, federated=federated)["One"]
        ports = [port for part in cloud.parts for _, port in cloud.listens(part)]
        assert ports.count(8443) == doors
        assert cloud.federated is bool(doors)


def test_without_gateway_the_catalog_leads_to_the_services() -> None:
    cloud = plan(HERE, ["One"], "127.0.1.0", with_gateway=False)["One"]
    assert GATEWAY not in cloud.parts
    assert cloud.endpoint("compute") == "http://127.0.1.1:8774/v2.1"


@pytest.mark.parametrize("name", ["", "a b", "../up", ".hidden", "a/b", "x" * 65, "Cloud\n"])
def test_names_that_cannot_be_in_a_scope_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot be a cloud's name"):
        plan(HERE, [name], "127.0.1.0")


@pytest.mark.parametrize("names", [["One", "One"], ["One", "ONE"]])
def test_doubled_names_are_refused(names: list[str]) -> None:
    with pytest.raises(LabError, match="different names"):
        plan(HERE, names, "127.0.1.0")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("here", "no IPv4 address"),
        ("127.0.1.7", r"expected 127\.0\.1\.0"),
        ("10.0.0.0", r"127\.0\.0\.0/8"),
        ("127.255.255.0", r"127\.0\.0\.0/8"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused(address: str, said: str) -> None:
    with pytest.raises(LabError, match=said):
        plan(HERE, ["One", "Two"], address)
