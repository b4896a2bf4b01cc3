"""Names, addresses and files of a lab, without one."""

import re
from pathlib import Path

import pytest

from openstackoid.lab import LabError
from openstackoid.lab.layout import DASHBOARD, GATEWAY, HAPROXY, REGIONS, Cloud, plan
from openstackoid.lab.service_types import SERVICES

HERE = Path("/lab")


def test_each_cloud_has_a_network_of_its_own() -> None:
    clouds = plan(HERE, ["CloudOne", "CloudTwo", "CloudThree"], "127.0.1.0")
    assert [(cloud.backend_host, cloud.frontend_host, cloud.gateway_host) for cloud in clouds.values()] == [
        ("127.0.1.1", "127.0.1.2", "127.0.1.3"),
        ("127.0.2.1", "127.0.2.2", "127.0.2.3"),
        ("127.0.3.1", "127.0.3.2", "127.0.3.3"),
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


def taken(cloud: Cloud) -> list[tuple[str, int]]:
    return [address for part in cloud.parts for address in cloud.listens(part)]


@pytest.mark.parametrize("with_haproxy", [True, False])
def test_nothing_listens_where_something_else_does(with_haproxy: bool) -> None:
    clouds = plan(HERE, ["One", "Two", "Three"], "127.0.1.0", with_haproxy=with_haproxy)
    every = [address for cloud in clouds.values() for address in taken(cloud)]
    # Backends, frontends with the door for other clouds, the same behind HAProxy, health.
    assert len(every) == len(set(every)) == 3 * (5 + 6 + (6 if with_haproxy else 0) + 1)


def test_haproxy_takes_what_the_gateway_takes_without_it() -> None:
    fast = plan(HERE, ["One"], "127.0.1.0")["One"]
    slow = plan(HERE, ["One"], "127.0.1.0", with_haproxy=False)["One"]
    health = ("127.0.1.2", 8700)
    assert {*fast.listens(HAPROXY), health} == set(slow.listens(GATEWAY))
    assert {*fast.listens(GATEWAY)} == {*(("127.0.1.3", port) for _, port in fast.listens(HAPROXY)), health}
    assert [fast.endpoint(kind) for kind in SERVICES] == [slow.endpoint(kind) for kind in SERVICES]
    assert (fast.parts, slow.parts) == ((HAPROXY, GATEWAY, *SERVICES), (GATEWAY, *SERVICES))


def test_an_aggregator_has_identity_alone_and_all_have_control_planes() -> None:
    clouds = plan(HERE, ["A", "P"], "127.0.1.0", aggregator=True)
    assert clouds["A"].parts == (HAPROXY, GATEWAY, REGIONS, "identity")
    assert clouds["P"].parts == (HAPROXY, GATEWAY, REGIONS, *SERVICES)
    clouds = plan(HERE, ["A", "P"], "127.0.1.0", aggregator=True, aggregator_dashboard=True)
    assert clouds["A"].parts[-1] == DASHBOARD
    assert DASHBOARD not in clouds["P"].parts
    every = [address for cloud in clouds.values() for address in taken(cloud)]
    assert len(every) == len(set(every))
    assert {port for _, port in clouds["A"].listens(HAPROXY)} == {5000, 8443}
    clouds = plan(HERE, ["A", "P", "B"], "127.0.1.0", aggregator=True, buyer="B")
    assert clouds["B"].parts == clouds["A"].parts
    assert clouds["P"].parts == (HAPROXY, GATEWAY, REGIONS, *SERVICES)


def test_only_a_cloud_of_another_owner_has_a_door() -> None:
    for with_gateway, federated, doors in ((True, True, 1), (True, False, 0), (False, True, 0)):
        cloud = plan(HERE, ["One"], "127.0.1.0", with_gateway=with_gateway, federated=federated)["One"]
        assert taken(cloud).count(("127.0.1.2", 8443)) == doors
        assert cloud.federated is bool(doors)


def test_without_gateway_the_catalog_leads_to_the_services() -> None:
    cloud = plan(HERE, ["One"], "127.0.1.0", with_gateway=False)["One"]
    assert cloud.parts == tuple(SERVICES)
    assert cloud.endpoint("compute") == "http://127.0.1.1:8774/v2.1"


def test_every_cloud_has_a_name_for_certificates_of_its_own() -> None:
    names = ["CloudOne", "a_b", "a.b", "a-b", "a-", "x" * 63, "x" * 64, "0"]
    clouds = plan(HERE, names, "127.0.1.0")
    made = [cloud.certificate_name for cloud in clouds.values()]
    assert made[0] == "cloudone.openstackoid.test"
    assert len(set(made)) == len(names)
    label = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
    assert all(label.fullmatch(part) for name in made for part in name.split("."))


@pytest.mark.parametrize("folder", ["/lab of mine", "/lab;1", "/lab,more", "/lab(1)"])
def test_folders_that_haproxys_configuration_cannot_name_are_refused(folder: str) -> None:
    with pytest.raises(LabError, match=r"cannot stand.*--dir.*--gateway-only"):
        plan(Path(folder), ["One"], "127.0.1.0")
    assert plan(Path(folder), ["One"], "127.0.1.0", with_haproxy=False)
    assert plan(Path(folder), ["One"], "127.0.1.0", with_gateway=False)


def test_sockets_of_a_deep_lab_are_elsewhere() -> None:
    deep = Path("/" + "x" * 80)
    clouds = plan(deep, ["One", "Two"], "127.0.1.0")
    folders = {cloud.haproxy for cloud in clouds.values()}
    assert len(folders) == len(clouds)
    assert all(len(f"{cloud.haproxy_master}.4194304.tmp") <= 107 for cloud in clouds.values())
    assert folders == {cloud.haproxy for cloud in plan(deep, ["One", "Two"], "127.0.1.0").values()}
    assert plan(HERE, ["One"], "127.0.1.0")["One"].haproxy == HERE / "One" / "haproxy"


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
