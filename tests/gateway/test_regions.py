"""Regions that are parts of other clouds: served from the database, without a backend of their own, under a contract beside the agreement."""

import contextlib
import dataclasses
import json
import secrets
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.conftest import Owners
from tests.gateway.owners import ALICE, DEMO, Owner, refusal
from tests.gateway.wire import Answer, Seen, ask, reply, until

from openstackoid.core import scope as scopes
from openstackoid.core.region_resources import Resources
from openstackoid.trust import tokens
from openstackoid.trust.claims import Claims
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant, Projects
from openstackoid.trust.rings import Ring

DOMAIN = "e" * 32
PROVIDER, CONSUMER = ContractSide.PROVIDER, ContractSide.CONSUMER


def contract(peer: str, side: ContractSide, region: str = "", **more: Any) -> ContractGrant:
    given: dict[str, Any] = {"services": ("compute", "image"), "projects": Projects("each", DOMAIN)} | more
    return ContractGrant(secrets.token_hex(16), peer, side, GrantState.ACTIVE, Grant(**given), region)


@contextlib.contextmanager
def in_use(owner: Owner, *contracts: ContractGrant) -> Iterator[None]:
    """These contracts and no others, until the end."""
    put(owner, *contracts)
    try:
        yield
    finally:
        put(owner)


def put(owner: Owner, *contracts: ContractGrant) -> None:
    store = owner.store
    store.contracts.replace(lambda: contracts)
    store.close()


def user(owners: Owners, path: str, token: str, **more: Any) -> Answer:
    return ask(owners.at_one.url("identity"), path, token=token, **more)


def settled(owners: Owners, path: str, token: str, status: int) -> Answer:
    """The answer when the gateway has read its database."""
    answers: list[Answer] = []

    def there() -> bool:
        answers.append(user(owners, path, token))
        return answers[-1].status == status

    until(there)
    return answers[-1]


def claims_of(owners: Owners, seen: Seen) -> Claims:
    keys = Ring(owners.one.keys.published(0), owners.one.keys.fingerprint).keys
    return tokens.verify(seen.get("X-Auth-Token") or "", keys)


def test_a_region_is_served_as_soon_as_it_is_in_the_database(owners: Owners) -> None:
    token, name = owners.one.keystone.issue("alice", "member"), f"V{secrets.token_hex(4)}"
    bound, path = contract("CloudBare", CONSUMER, name, pseudonyms=True), f"/scope/{name}/image/v2/images"
    assert refusal(user(owners, path, token)) == (404, "scope.unknown")
    with in_use(owners.one, bound):
        settled(owners, f"{path}/{name}", token, 200)
        claims = claims_of(owners, owners.bare.seen(f"/image/v2/images/{name}"))
        assert claims.agreement == bound.id
        assert json.loads(scopes.format(claims.scope)) == {"*": "CloudBare", "identity": "CloudOne"}
        assert not {ALICE, DEMO, "alice", "demo"} & {
            *dataclasses.astuple(claims.user),
            *dataclasses.astuple(claims.project),
        }
        # The same user is somebody else in another region of the same provider, and keeps the ids of home in both.
        other = contract("CloudBare", CONSUMER, f"{name}-2", pseudonyms=True)
        put(owners.one, bound, other)
        settled(owners, f"/scope/{other.region}/image/v2/images/{other.region}", token, 200)
        there = claims_of(owners, owners.bare.seen(f"/image/v2/images/{other.region}"))
        assert there.user.id != claims.user.id
        assert there.project.id != claims.project.id
    settled(owners, path, token, 404)


def test_ids_of_a_region_are_those_of_home(owners: Owners) -> None:
    token, name = owners.one.keystone.issue("alice", "member"), f"V{secrets.token_hex(4)}"

    def server(seen: Seen, _: socket.socket) -> bytes:
        claims = claims_of(owners, seen)
        return reply(200, {"server": {"user_id": claims.user.id, "tenant_id": claims.project.id}})

    owners.bare.on(f"/compute/v2.1/servers/{name}", server)
    with in_use(owners.one, contract("CloudBare", CONSUMER, name, pseudonyms=True)):
        told = settled(owners, f"/scope/{name}/compute/v2.1/servers/{name}", token, 200).json
    assert told == {"server": {"user_id": ALICE, "tenant_id": DEMO}}


def test_a_service_that_only_the_provider_has_is_served(owners: Owners) -> None:
    """CloudOne has no orchestration service, and neither has its provider: the refusal names the provider."""
    token, name = owners.one.keystone.issue("alice", "member"), f"V{secrets.token_hex(4)}"
    with in_use(owners.one, contract("CloudBare", CONSUMER, name)):
        settled(owners, f"/scope/{name}/image/v2/images", token, 200)
        missing = user(owners, f"/scope/{name}/orchestration/v1", token)
        assert refusal(missing)[0] == 404
        assert "CloudBare has no orchestration" in str(missing.error)
        version = user(owners, f"/scope/{name}/orchestration/", token)
        assert "CloudBare has no orchestration" in str(version.error)


def test_a_suspended_region_is_refused(owners: Owners) -> None:
    token, name = owners.one.keystone.issue("alice", "member"), f"V{secrets.token_hex(4)}"
    path, bound = f"/scope/{name}/image/v2/images", contract("CloudBare", CONSUMER, name)
    with in_use(owners.one, bound):
        settled(owners, path, token, 200)
        stopped = ContractGrant(bound.id, bound.peer, bound.side, GrantState.SUSPENDED, bound.grant, bound.region)
        put(owners.one, stopped)
        refused = settled(owners, path, token, 403)
        assert refused.code == "contract.suspended"
        assert name in str(refused.error)
        put(owners.one, bound)
        settled(owners, path, token, 200)


# At the provider.


def visit(owners: Owners, token: str, path: str, **more: Any) -> Answer:
    return ask(owners.two.peering, path, token=token, **more)


def visitor(owners: Owners, under: ContractGrant) -> str:
    """A token of CloudOne's for CloudTwo, under a contract."""
    scope = scopes.parse(json.dumps({"*": "CloudTwo", "identity": "CloudOne"}))
    return owners.one.token(owners.two, agreement=under.id, scope=scope)


def arrives(owners: Owners, under: ContractGrant, path: str) -> str:
    """Wait until a visitor is admitted; returns the project that stands for the visitor's."""
    until(lambda: visit(owners, visitor(owners, under), path).status == 200)
    return str(owners.at_two.line(path.partition("/image")[2])["local_project"])


def test_each_contract_has_projects_and_users_of_its_own(owners: Owners) -> None:
    first, second = contract("CloudOne", PROVIDER), contract("CloudOne", PROVIDER)
    before = set(owners.two.keystone.projects)
    with in_use(owners.two, first, second):
        projects = {arrives(owners, one, f"/image/v2/images/{one.id}") for one in (first, second)}
        assert len(projects) == 2
        made = {name for (domain, name) in set(owners.two.keystone.projects) - before if domain == DOMAIN}
        assert len(made) == 2
        users = {owners.at_two.line(f"/v2/images/{one.id}")["local_user"] for one in (first, second)}
        assert len(users) == 2


def test_a_contract_admits_what_it_names(owners: Owners) -> None:
    under = contract("CloudOne", PROVIDER, services=("image",))
    with in_use(owners.two, under):
        arrives(owners, under, f"/image/v2/images/{under.id}")
        assert refusal(visit(owners, visitor(owners, under), "/compute/v2.1/servers")) == (403, "agreement.rule")


@pytest.mark.parametrize("side", [CONSUMER, PROVIDER])
def test_a_contract_with_another_peer_or_of_the_other_side_admits_nobody(owners: Owners, side: ContractSide) -> None:
    good = contract("CloudOne", PROVIDER)
    wrong = contract("CloudThree" if side is PROVIDER else "CloudOne", side, "V9" if side is CONSUMER else "")
    with in_use(owners.two, good, wrong):
        arrives(owners, good, f"/image/v2/images/{good.id}")
        assert refusal(visit(owners, visitor(owners, wrong), "/image/v2/images")) == (403, "agreement.missing")


def test_what_is_not_in_the_region_is_neither_seen_nor_used(owners: Owners) -> None:
    rights = contract("CloudOne", PROVIDER)
    some = Resources.from_json({"flavors": ["1"], "images": ["i1"]})
    under = dataclasses.replace(rights, resources=some)
    compute, image = owners.two["compute"], owners.two["image"]
    compute.on("/v2.1/flavors", reply(200, {"flavors": [{"id": "1"}, {"id": "2"}]}))
    image.on("/v2/images/i2", reply(200, {"id": "i2", "owner": "b" * 32, "disk_format": "raw"}))

    with in_use(owners.two, under):
        project = arrives(owners, under, f"/image/v2/images/{under.id}")
        image.on("/v2/images/own", reply(200, {"id": "own", "owner": project, "disk_format": "raw"}))
        token = visitor(owners, under)
        assert visit(owners, token, "/compute/v2.1/flavors").json == {"flavors": [{"id": "1"}]}
        for path in ("/compute/v2.1/flavors/2", "/image/v2/images/i2", "/image/v2/images/i2/file"):
            assert refusal(visit(owners, token, path)) == (404, "region.missing"), path
        assert not image.all("/v2/images/i2/file")
        for path in ("/image/v2/images/own/file", "/image/v2/images/i1/file", "/image/v2/images/own"):
            assert visit(owners, token, path).status == 200, path
        for flavor, status in (("1", 200), ("2", 400)):
            body = json.dumps({"server": {"name": under.id, "flavorRef": flavor}}).encode()
            kind = {"Content-Type": "application/json"}
            answer = visit(owners, token, "/compute/v2.1/servers", headers=kind, method="POST", body=body)
            assert answer.status == status
        assert answer.code == "region.outside"


def test_a_port_goes_into_networks_of_the_region_and_ones_own_alone(
    owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """neutron lets anybody put a port into a shared network whose id is known."""
    rights = contract("CloudOne", PROVIDER, services=("image", "network"))
    under = dataclasses.replace(rights, resources=Resources.from_json({"external_networks": ["in"]}))
    network, mark = owners.two["network"], under.id
    monkeypatch.setattr(network, "handlers", dict(network.handlers))  # other tests have the same cloud
    shared = {"id": "shared", "project_id": "b" * 32, "shared": True}
    network.on("/v2.0/networks/shared", reply(200, {"network": shared}))
    network.on("/v2.0/subnets/shared-subnet", reply(200, {"subnet": shared | {"network_id": "shared"}}))
    network.on("/v2.0/ports", lambda *_: reply(201, {"port": {}}))
    with in_use(owners.two, under):
        project = arrives(owners, under, f"/image/v2/images/{under.id}")
        network.on("/v2.0/networks/own", reply(200, {"network": {"id": "own", "project_id": project}}))
        network.on("/v2.0/subnets/own-subnet", reply(200, {"subnet": {"id": "own-subnet", "project_id": project}}))

        def sent(method: str, path: str, document: Any) -> Answer:
            headers, body = {"Content-Type": "application/json"}, json.dumps(document).encode()
            return visit(owners, visitor(owners, under), f"/network{path}", headers=headers, method=method, body=body)

        def port(name: str) -> Answer:
            return sent("POST", "/v2.0/ports", {"port": {"network_id": name, "name": mark}})

        for name in ("own", "in"):
            assert port(name).status == 201, name
        passed = len(network.all("/v2.0/ports"))
        for refused in (
            port("shared"),
            port("none"),
            sent("POST", "/v2.0/ports.json?x=y", {"port": {"network_id": "shared"}}),
            sent("POST", "/v2.0/ports", {"ports": [{"network_id": "own"}, {"network_id": "shared"}]}),
            sent("PUT", f"/v2.0/routers/{mark}/add_router_interface", {"subnet_id": "shared-subnet"}),
        ):
            assert refusal(refused) == (400, "region.outside")
        assert len(network.all("/v2.0/ports")) == passed
        assert not network.all(f"/v2.0/routers/{mark}/add_router_interface")
        assert sent("PUT", f"/v2.0/routers/{mark}/add_router_interface", {"subnet_id": "own-subnet"}).status == 200


def test_a_contract_that_is_suspended_or_over_admits_nobody(owners: Owners) -> None:
    under = contract("CloudOne", PROVIDER)
    with in_use(owners.two, under):
        project = arrives(owners, under, f"/image/v2/images/{under.id}-1")
        before = visitor(owners, under)
        put(owners.two, ContractGrant(under.id, under.peer, under.side, GrantState.SUSPENDED, under.grant))
        until(lambda: visit(owners, before, "/image/v2/images").status == 403)
        assert visit(owners, before, "/image/v2/images").code == "contract.suspended"
        put(owners.two, under)
        assert arrives(owners, under, f"/image/v2/images/{under.id}-2") == project
    until(lambda: visit(owners, before, "/image/v2/images").status == 403)
    assert visit(owners, before, "/image/v2/images").code == "agreement.missing"
