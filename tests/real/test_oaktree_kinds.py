"""Every typed resource that the lab's services have: created, read, listed, changed and deleted through oaktree, and each time compared
with what openstacksdk itself reads from the same cloud, field by field."""

import importlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import openstack
import pytest
from google.protobuf.struct_pb2 import Value
from tests.oaktree.world import Oaktree

from oaktree.v1.common_pb2 import STAGE_DONE
from openstackoid.lab import Lab
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.resources.methods import Method, methods
from openstackoid.oaktree.resources.structs import document

# openstacksdk warns its own code of what it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
KINDS = Kinds()
METHODS = {(each.kind, each.verb.name): each for each in methods() if each.kind}
USER, ADMIN = "CloudOne", "CloudOne-admin"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ7gmzqvbnmbOjzTvGIYQjVZqTfLCmHG8rSgyW4XpNs tests@oaktree"


@dataclass
class Case:
    """One kind: what is created, what is changed then, and as whom."""

    kind: str
    made: Callable[["Cloud"], dict[str, Any]]
    changed: dict[str, Any] = field(default_factory=dict)
    cloud: str = USER
    before: dict[str, Any] = field(default_factory=dict)  # what must be changed before it can be deleted


@dataclass
class Cloud:
    """One entry of the lab's clouds.yaml: through oaktree, and with openstacksdk itself."""

    name: str
    channel: grpc.Channel
    sdk: Any
    made: list[tuple[str, str]]

    def call(self, kind: str, verb: str, **fields: Any) -> Any:
        """A call of the typed service, with its answer, or all answers of a stream."""
        method = METHODS[kind, verb]
        stub = stub_of(self.channel, method)
        request = method.request(**fields)
        answer = getattr(stub, method.name)(request, timeout=120)
        return list(answer) if verb in ("list", "create", "watch") else answer

    def create(self, kind: str, **attributes: Any) -> Any:
        """Create here, wait until it is ready, and have it deleted in the end; returns the resource."""
        method = METHODS[kind, "create"]
        answers = self.call(
            kind,
            "create",
            locations=[{"cloud": self.name}],
            options={"wait": True, "idempotency_key": str(uuid.uuid4())},
            **{method.field: attributes},
        )
        problems = [each.progress.error.message for each in answers if each.progress.error.message]
        assert not problems, problems
        assert answers[-1].HasField("summary")
        assert [each.progress.stage for each in answers if each.HasField("progress")][-1] == STAGE_DONE
        resource = [getattr(each, method.field) for each in answers if each.HasField(method.field)][-1]
        self.made.append((kind, resource.id))
        return resource

    def get(self, kind: str, ident: str) -> Any:
        """One resource."""
        answer = self.call(kind, "get", location={"cloud": self.name}, id=ident)
        return getattr(answer, METHODS[kind, "get"].field)

    def listed(self, kind: str) -> list[Any]:
        """All of a kind."""
        answers = self.call(kind, "list", locations=[{"cloud": self.name}])
        assert not [each for result in answers[-1].summary.results for each in [result.error.message] if each]
        return [resource for each in answers for resource in getattr(each, METHODS[kind, "list"].field)]

    def delete(self, kind: str, ident: str) -> None:
        """Delete, and wait until it is gone."""
        self.call(kind, "delete", location={"cloud": self.name}, id=ident, allow_missing=True)
        self.call(kind, "watch", location={"cloud": self.name}, id=ident, until={"gone": True})
        self.made = [each for each in self.made if each != (kind, ident)]

    def first(self, kind: str, name: str = "") -> Any:
        """Some resource of a kind."""
        return next(each for each in self.listed(kind) if not name or each.name == name)


def stub_of(channel: grpc.Channel, method: Method) -> Any:
    for service in (
        "compute",
        "image",
        "network",
        "identity",
        "block_storage",
        "orchestration",
        "dns",
        "load_balancer",
    ):
        module = importlib.import_module(f"oaktree.v1.{service}_pb2_grpc")
        if hasattr(module, f"{method.service.rpartition('.')[2]}Stub"):
            return getattr(module, f"{method.service.rpartition('.')[2]}Stub")(channel)
    raise AssertionError(method)


@pytest.fixture(scope="module")
def oaktree(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oaktree]:
    server = Oaktree(tmp_path_factory.mktemp("oaktree"), lab.clouds_yaml)
    yield server
    server.stop()


@pytest.fixture
def clouds(lab: Lab, oaktree: Oaktree) -> Iterator[dict[str, Cloud]]:
    config = openstack.config.OpenStackConfig(config_files=[str(lab.clouds_yaml)])
    with oaktree.channel() as channel:
        found = {
            name: Cloud(name, channel, openstack.connection.Connection(config=config.get_one(name)), [])
            for name in (USER, ADMIN)
        }
        try:
            yield found
        finally:
            # What a test left, the last first: ports before their networks.
            for cloud in found.values():
                for kind, ident in reversed(cloud.made):
                    cloud.call(kind, "delete", location={"cloud": cloud.name}, id=ident, allow_missing=True)
                cloud.sdk.close()


def name() -> str:
    return f"oaktree-{uuid.uuid4().hex[:8]}"


def network(cloud: Cloud) -> str:
    return str(cloud.create("network.network", name=name()).id)


def subnet(cloud: Cloud, of: str) -> str:
    return str(cloud.create("network.subnet", name=name(), network_id=of, ip_version=4, cidr="10.77.0.0/24").id)


def outside(cloud: Cloud) -> str:
    """A network that floating IPs come from."""
    made = cloud.create("network.network", name=name(), is_router_external=True)
    cloud.create("network.subnet", name=name(), network_id=made.id, ip_version=4, cidr="192.0.2.0/24")
    return str(made.id)


def rule(cloud: Cloud) -> dict[str, Any]:
    group = cloud.create("network.security_group", name=name())
    return {
        "security_group_id": group.id,
        "direction": "ingress",
        "protocol": "tcp",
        "port_range_min": 22,
        "port_range_max": 22,
        "ether_type": "IPv4",
    }


def server(cloud: Cloud) -> dict[str, Any]:
    return {
        "name": name(), "image_id": cloud.first("image.image").id, "flavor_id": cloud.first("compute.flavor").id,
        "networks": Value(string_value="none"), "metadata": {"a": "b"},
    }  # fmt: skip


def port(cloud: Cloud) -> dict[str, Any]:
    inside = network(cloud)
    subnet(cloud, inside)
    return {"name": name(), "network_id": inside}


CASES = [
    Case("compute.server", server, {"name": "changed"}),
    Case("compute.keypair", lambda _: {"name": name(), "public_key": PUBLIC_KEY}),
    Case("compute.server_group", lambda _: {"name": name(), "policy": "anti-affinity"}),
    Case(
        "compute.flavor",
        lambda _: {"name": name(), "vcpus": 1, "ram": 64, "disk": 1},
        {"description": "changed"},
        ADMIN,
    ),
    Case(
        "image.image",
        lambda _: {"name": name(), "disk_format": "raw", "container_format": "bare", "min_disk": 1},
        {"name": "changed"},
    ),
    Case("network.network", lambda _: {"name": name(), "description": "of a test"}, {"description": "changed"}),
    Case(
        "network.subnet",
        lambda cloud: {"name": name(), "network_id": network(cloud), "ip_version": 4, "cidr": "10.78.0.0/24"},
        {"name": "changed"},
    ),
    Case("network.port", port, {"name": "changed"}),
    Case("network.router", lambda _: {"name": name()}, {"is_admin_state_up": False}),
    Case(
        "network.floating_ip", lambda cloud: {"floating_network_id": outside(cloud)}, {"description": "changed"}, ADMIN
    ),
    Case("network.security_group", lambda _: {"name": name()}, {"description": "changed"}),
    Case("network.security_group_rule", rule),
    Case("identity.project", lambda _: {"name": name(), "domain_id": "default"}, {"description": "changed"}, ADMIN),
    Case(
        "identity.user",
        lambda _: {"name": name(), "domain_id": "default", "password": uuid.uuid4().hex},
        {"description": "changed"},
        ADMIN,
    ),
    Case("identity.role", lambda _: {"name": name()}, {"description": "changed"}, ADMIN),
    Case("identity.domain", lambda _: {"name": name()}, {"description": "changed"}, ADMIN, {"is_enabled": False}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_round_trip(clouds: dict[str, Cloud], case: Case) -> None:
    cloud = clouds[case.cloud]
    attributes = case.made(cloud)
    created = cloud.create(case.kind, **attributes)
    assert (created.location.cloud, created.location.region) == (case.cloud, "RegionOne")
    if case.kind.partition(".")[0] != "identity":
        assert created.location.project in {"demo", "admin"}
    got = cloud.get(case.kind, created.id)
    assert given(got, attributes) == attributes
    compare(cloud, case.kind, got, created.id)
    assert cloud.get(case.kind, got.name).id == created.id if got.name else True
    (in_list,) = [each for each in cloud.listed(case.kind) if each.id == created.id]
    compare(cloud, case.kind, in_list, created.id, listed=True)
    for changed in (case.changed, case.before):
        if changed:
            field = METHODS[case.kind, "update"].field
            cloud.call(case.kind, "update", location={"cloud": case.cloud}, id=created.id, **{field: changed})
            after = cloud.get(case.kind, created.id)
            assert given(after, changed) == changed
            compare(cloud, case.kind, after, created.id)
    cloud.delete(case.kind, created.id)
    with pytest.raises(grpc.RpcError) as caught:
        cloud.get(case.kind, created.id)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert created.id not in {each.id for each in cloud.listed(case.kind)}


@pytest.mark.parametrize("kind", ["compute.availability_zone", "network.availability_zone"])
def test_availability_zones(clouds: dict[str, Cloud], kind: str) -> None:
    cloud = clouds[USER]
    ours = cloud.listed(kind)
    theirs = {each.name: each for each in getattr(cloud.sdk, kind.partition(".")[0]).availability_zones()}
    # Zones of the network are its agents': the lab has none.
    assert ours or kind == "network.availability_zone"
    assert {each.name for each in ours} == set(theirs)
    for each in ours:
        same(document(each), theirs[each.name].to_dict(computed=False), kind)


@pytest.mark.parametrize(("kind", "attribute"), [("compute.quota", "instances"), ("network.quota", "networks")])
def test_quotas(clouds: dict[str, Cloud], kind: str, attribute: str) -> None:
    cloud = clouds[ADMIN]
    project = cloud.create("identity.project", name=name(), domain_id="default").id
    before = getattr(cloud.get(kind, project), attribute)
    field = METHODS[kind, "update"].field
    cloud.call(kind, "update", location={"cloud": ADMIN}, id=project, **{field: {attribute: before + 7}})
    assert getattr(cloud.get(kind, project), attribute) == before + 7
    cloud.call(kind, "delete", location={"cloud": ADMIN}, id=project)
    assert getattr(cloud.get(kind, project), attribute) == before


def given(resource: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, as it came back; what is never told again counts as asked."""
    found = document(resource)
    found.get("metadata", {}).pop("oaktree_operation", None)  # by which a create is found again
    hidden = {"password", "networks", "image_id", "flavor_id"}
    return {each: attributes[each] if each in hidden else found.get(each) for each in attributes}


def compare(cloud: Cloud, kind: str, resource: Any, ident: str, *, listed: bool = False) -> None:
    """With what openstacksdk reads of it."""
    known = KINDS.get(kind)
    assert known
    proxy = known.proxy(cloud.sdk)
    if listed:
        path: dict[str, Any] = {"base_path": known.list_path} if known.list_path else {}
        (theirs,) = [each for each in known.cls.list(proxy, **path) if each.id == ident]
    else:
        theirs = known.cls.new(id=ident).fetch(proxy)
    same(document(resource), theirs.to_dict(computed=False), kind)


# They change by themselves between two looks, or are made by openstacksdk of another attribute.
CHANGING = {
    "updated_at",
    "progress",
    "power_state",
    "vm_state",
    "task_state",
    "status",
    "admin_password",
    "links",
    "has_config_drive",
}


def same(ours: dict[str, Any], theirs: dict[str, Any], place: str) -> None:
    """Every value that openstacksdk has, ours has as well, in its field or among the others."""
    other = ours.get("other", {})
    for attribute, value in theirs.items():
        if value is None or value in ([], {}) or attribute in CHANGING or (attribute == "id" and "id" not in ours):
            continue
        found = ours.get(attribute, other.get(attribute))
        if isinstance(value, dict) and isinstance(found, dict):
            told = {key: each for key, each in value.items() if key in found}
            assert told == found, (place, attribute)
        elif found is None:
            # A value that does not fit its field stands among the others, by the cloud's own name.
            assert value in other.values() or not value, (place, attribute, value)
        else:
            assert found == value, (place, attribute)
