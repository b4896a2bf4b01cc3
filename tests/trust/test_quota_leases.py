"""Leases of a contract's quota: their sum holds, whoever is killed when, on each kind of database."""

import random
import secrets
from collections.abc import Iterator, Mapping

import pytest
from tests.volume import volume

from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant
from openstackoid.trust.quota_leases import HOLD, LOCK, QuotaLeases
from openstackoid.trust.store import Store

NAMES = ("cores", "instances")
QUOTA = {"cores": 10, "instances": 8}
NEED = {"cores": 2, "instances": 1}
PROJECTS = ("p1", "p2", "p3")


class Service:
    """A service that enforces quotas for each project, and finishes a create some time after it was sent."""

    def __init__(self) -> None:
        self.quotas = {project: dict.fromkeys(NAMES, 0) for project in PROJECTS}
        self.used = {project: dict.fromkeys(NAMES, 0) for project in PROJECTS}

    def create(self, project: str, need: Mapping[str, int]) -> bool:
        quota, used = self.quotas[project], self.used[project]
        fits = all(used[name] + amount <= quota[name] for name, amount in need.items())
        if fits:
            for name, amount in need.items():
                used[name] += amount
        return fits

    def delete(self, project: str) -> None:
        for name, amount in NEED.items():
            self.used[project][name] = max(0, self.used[project][name] - amount)


class Walk:
    """Gateways that create, and move leases, step by step: between any two steps another one goes on, or one is killed."""

    def __init__(self, leases: QuotaLeases) -> None:
        self.leases, self.service, self.contract, self.now = leases, Service(), secrets.token_hex(16), 1_000_000
        for project in PROJECTS:
            leases.prepare(self.contract, project, NAMES)

    def create(self, project: str) -> Iterator[None]:
        held = self.leases.take(self.contract, project, NEED, self.now)
        if held is None:
            yield from self.move(project, NEED)
            held = self.leases.take(self.contract, project, NEED, self.now)
        yield
        if held is not None:
            made = self.service.create(project, NEED)
            yield
            self.leases.finish(held, refused=not made)

    def move(self, project: str, need: Mapping[str, int] | None) -> Iterator[None]:
        """Count a project; raise its leases for a need, or lower them to what it uses."""
        holder = secrets.token_hex(16)
        if not self.leases.lock(self.contract, project, "compute", holder, self.now):
            return
        yield
        count = self.leases.begin_count(self.contract, project, "compute", self.now)
        yield
        used = dict(self.service.used[project])
        yield
        self.leases.counted(self.contract, project, count, used, self.now)
        yield
        if need is None:
            self.leases.shrink(self.contract, project, NAMES)
        else:
            self.leases.grow(self.contract, project, QUOTA, need)
        yield
        wanted = self.leases.unsettled(self.contract, project, NAMES)
        yield
        if wanted:
            self.service.quotas[project].update(wanted)
            yield
            self.leases.settle(self.contract, project, wanted)
        yield
        self.leases.unlock(self.contract, project, "compute", holder)

    def check(self) -> None:
        for name, most in QUOTA.items():
            leases = self.leases.leases(self.contract, [name])
            assert sum(max(lease.granted, lease.ceiling) for lease in leases) <= most
            assert sum(quotas[name] for quotas in self.service.quotas.values()) <= most
            assert sum(used[name] for used in self.service.used.values()) <= most
            for lease in leases:
                assert lease.bound >= self.service.used[lease.project][name]


@pytest.mark.parametrize("seed", range(volume(4)))
def test_the_sum_holds_whoever_is_killed_when(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    walk = Walk(store.quotas)
    running: list[Iterator[None]] = []
    for _ in range(120):
        if len(running) < 4:
            project = chance.choice(PROJECTS)
            job = walk.create(project) if chance.random() < 0.7 else walk.move(project, None)
            running.append(job)
        chosen = chance.choice(running)
        if next(chosen, "over") == "over" or chance.random() < 0.05:  # done, or killed
            running.remove(chosen)
        if chance.random() < 0.1:
            walk.service.delete(chance.choice(PROJECTS))
        if chance.random() < 0.05:
            walk.now += LOCK + 1  # locks of killed processes are over
        walk.check()


def test_a_killed_create_counts_until_its_time(store: Store) -> None:
    walk = Walk(store.quotas)
    job = walk.create("p1")
    next(job)
    while not store.quotas.under_way(walk.contract, "compute", walk.now):
        next(job)  # killed when it has begun, before the service has it
    count = store.quotas.begin_count(walk.contract, "p1", "compute", walk.now)
    assert count.under_way == NEED
    later = walk.now + HOLD + 1
    assert store.quotas.begin_count(walk.contract, "p1", "compute", later).under_way == {}
    assert store.quotas.under_way(walk.contract, "compute", later) == frozenset()


def test_what_is_renewed_counts_on(store: Store) -> None:
    """An upload that takes longer than a killed process is waited for: glance counts it when it is whole."""
    walk = Walk(store.quotas)
    for _ in walk.move("p1", NEED):
        pass
    held = store.quotas.take(walk.contract, "p1", NEED, walk.now)
    assert held
    store.quotas.renew([held], walk.now + HOLD - 1)
    assert store.quotas.begin_count(walk.contract, "p1", "compute", walk.now + HOLD + 1).under_way == NEED


def test_what_is_admitted_during_a_count_is_not_lost(store: Store) -> None:
    walk = Walk(store.quotas)
    for _ in walk.move("p1", {"cores": 8, "instances": 4}):
        pass
    held = store.quotas.take(walk.contract, "p1", NEED, walk.now)
    count = store.quotas.begin_count(walk.contract, "p1", "compute", walk.now)
    used = dict(walk.service.used["p1"])
    other = store.quotas.take(walk.contract, "p1", NEED, walk.now)
    assert held
    assert other
    store.quotas.finish(other, refused=False)
    store.quotas.counted(walk.contract, "p1", count, used, walk.now)
    assert {
        lease.name: lease.bound for lease in store.quotas.leases(walk.contract, NAMES) if lease.project == "p1"
    } == {
        "cores": 4,
        "instances": 2,
    }


def test_a_refused_request_takes_nothing(store: Store) -> None:
    walk = Walk(store.quotas)
    for _ in walk.move("p1", NEED):
        pass
    for _ in range(3):
        held = store.quotas.take(walk.contract, "p1", NEED, walk.now)
        assert held
        store.quotas.finish(held, refused=True)
        store.quotas.finish(held, refused=True)  # the second time it is not there


def test_nothing_is_admitted_before_the_service_enforces_it(store: Store) -> None:
    walk = Walk(store.quotas)
    assert store.quotas.grow(walk.contract, "p1", QUOTA, NEED)
    assert store.quotas.take(walk.contract, "p1", NEED, walk.now) is None
    store.quotas.settle(walk.contract, "p1", store.quotas.unsettled(walk.contract, "p1", NAMES))
    assert store.quotas.take(walk.contract, "p1", NEED, walk.now)
    store.quotas.doubt(walk.contract, "p1", NAMES)
    assert store.quotas.take(walk.contract, "p1", NEED, walk.now) is None


def test_leases_go_with_their_project(store: Store) -> None:
    """Its sub-project was deleted: what it had leased is free for others, though nobody can set its quota any more."""
    contract, peer, foreign, local = "c" * 32, f"contract:{'c' * 32}", "f" * 32, "1" * 32
    store.projects.reserve(peer, foreign, "h" * 32, 10)
    store.projects.bind(peer, foreign, "h" * 32, local)
    for project in (local, "2" * 32):
        store.quotas.prepare(contract, project, NAMES)
    assert store.quotas.grow(contract, local, QUOTA, QUOTA)
    assert not store.quotas.grow(contract, "2" * 32, QUOTA, NEED)
    store.projects.forget(peer, foreign)
    assert store.quotas.grow(contract, "2" * 32, QUOTA, NEED)


def test_leases_go_with_their_contract(store: Store) -> None:
    quota = {"cores": 4}
    under = ContractGrant("c" * 32, "CloudTwo", ContractSide.PROVIDER, GrantState.ACTIVE, Grant(), quota=quota)
    store.contracts.replace(lambda: [under])
    assert store.contracts.all()[0].quota == quota
    store.quotas.prepare(under.id, "p1", ["cores"])
    store.contracts.replace(list)
    assert store.quotas.leases(under.id, ["cores"]) == []
