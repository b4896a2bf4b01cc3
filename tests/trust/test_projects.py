"""Which project of ours stands for one of a peer's, on real databases: made once, counted, forgotten, gone and back."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from unittest import mock

import pytest

from openstackoid.trust.grants import Grant
from openstackoid.trust.projects import GONE_FACTOR, LEASE, Claim, Mapped
from openstackoid.trust.store import Store

PEER: Final = "CloudTwo"
URL: Final = "https://cloudtwo.example:8443"
FINGERPRINT: Final = "A" * 43
IMAGES: Final = Grant(services=("image",))


def bind(store: Store, peer: str, foreign: str, local: str) -> str | None:
    """As a gateway does it, for a project that Keystone made."""
    holder = secrets.token_hex(16)
    store.projects.reserve(peer, foreign, holder, 1000)
    return store.projects.bind(peer, foreign, holder, local)


def test_one_of_many_makes_a_project(store: Store) -> None:
    def reserve(number: int) -> Claim:
        return store.projects.reserve(PEER, "theirs", f"{number:032}", 1)

    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(reserve, range(16)))
    assert sorted(claims, key=str) == [Claim.MINE] + [Claim.OTHERS] * 15
    holder = f"{claims.index(Claim.MINE):032}"
    assert store.projects.bind(PEER, "theirs", "f" * 32, "another's") is None
    assert store.projects.bind(PEER, "theirs", holder, "ours") == "ours"
    assert store.projects.bind(PEER, "theirs", "f" * 32, "another's") == "ours"
    assert (store.projects.all(PEER), store.projects.get(PEER, "theirs")) == ([("theirs", "ours")], "ours")
    assert reserve(99) is Claim.OTHERS


def test_a_reservation_that_is_renewed_is_not_taken_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.projects.reserve(PEER, "theirs", "1" * 32, 9) is Claim.MINE
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LEASE - 1)
    store.projects.renew(PEER, "theirs", "1" * 32)
    store.projects.renew(PEER, "theirs", "2" * 32)  # another's counts nothing
    monkeypatch.setattr(time, "time", lambda: now + 2 * LEASE - 3)
    assert store.projects.reserve(PEER, "theirs", "2" * 32, 9) is Claim.OTHERS
    monkeypatch.setattr(time, "time", lambda: now + 2 * LEASE + 1)
    assert store.projects.reserve(PEER, "theirs", "2" * 32, 9) is Claim.MINE


def test_a_forgotten_project_gives_its_place_back(store: Store) -> None:
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    bind(store, PEER, "gone", "ours")
    bind(store, "CloudThree", "gone", "others")
    assert store.projects.reserve(PEER, "next", "1" * 32, 1) is Claim.FULL
    assert store.forget_project(PEER, "gone", "olga") == "ours"
    assert store.forget_project(PEER, "gone", "olga") is None
    assert store.projects.reserve(PEER, "next", "1" * 32, 1) is Claim.MINE
    assert store.projects.get("CloudThree", "gone") == "others"
    last = store.history(PEER)[-1]
    assert (last.event, last.by, last.detail) == ("forget", "olga", {"project": "gone", "local": "ours"})


def test_no_more_projects_are_reserved_than_agreed(store: Store) -> None:
    bind(store, "CloudThree", "others", "x")
    bind(store, PEER, "made", "ours")

    def reserve(number: int) -> tuple[str, Claim]:
        return f"theirs-{number}", store.projects.reserve(PEER, f"theirs-{number}", f"{number:032}", 4)

    with ThreadPoolExecutor(8) as pool:
        claims = dict(pool.map(reserve, range(16)))
    mine = [foreign for foreign, claim in claims.items() if claim is Claim.MINE]
    assert len(mine) == 3
    assert list(claims.values()).count(Claim.FULL) == 13
    store.projects.release(PEER, mine[0], f"{int(mine[0][7:]):032}", keep=True)
    assert store.projects.reserve(PEER, "late", "d" * 32, 4) is Claim.FULL
    assert store.projects.reserve(PEER, mine[0], "e" * 32, 4) is Claim.MINE
    store.projects.release(PEER, mine[0], "f" * 32, keep=False)  # another's stays
    assert store.projects.reserve(PEER, "late", "d" * 32, 4) is Claim.FULL
    store.projects.release(PEER, mine[0], "e" * 32, keep=False)
    assert store.projects.reserve(PEER, "late", "d" * 32, 4) is Claim.MINE


def test_who_was_killed_is_taken_over_and_what_was_removed_binds_nothing(store: Store) -> None:
    now = time.time()
    with mock.patch("time.time", return_value=now - LEASE - 1):
        assert store.projects.reserve(PEER, "theirs", "a" * 32, 1) is Claim.MINE
    assert store.projects.reserve(PEER, "theirs", "b" * 32, 1) is Claim.MINE
    assert store.projects.bind(PEER, "theirs", "a" * 32, "ours") is None
    with mock.patch("time.time", return_value=now - 3600):  # a clock that went back
        assert store.projects.reserve(PEER, "theirs", "c" * 32, 1) is Claim.MINE
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    store.change(PEER, "remove", "olga")
    assert store.projects.bind(PEER, "theirs", "c" * 32, "ours") is None
    assert store.projects.all(PEER) == []


def test_projects_of_contracts_are_no_peers(store: Store) -> None:
    party = f"contract:{'a' * 32}"
    assert bind(store, PEER, "theirs", "ours") == "ours"
    assert bind(store, party, "theirs", "others") == "others"
    assert store.projects.get(PEER, "theirs") == "ours"


def test_what_is_gone_keeps_its_project_and_does_not_count(store: Store) -> None:
    bind(store, PEER, "theirs", "ours")
    bind(store, "CloudThree", "theirs", "others")
    assert store.projects.held(PEER) == [Mapped("theirs", "ours", None)]
    assert store.projects.reserve(PEER, "next", "1" * 32, 1) is Claim.FULL
    before = int(time.time())
    assert [store.projects.mark(PEER, "theirs", gone=True) for _ in range(2)] == [True, False]
    (mapped,) = store.projects.held(PEER)
    assert (mapped.local, store.projects.get(PEER, "theirs")) == ("ours", "ours")
    assert before <= (mapped.gone or 0) <= time.time()
    assert store.projects.reserve(PEER, "next", "1" * 32, 1) is Claim.MINE
    assert store.projects.bind(PEER, "next", "1" * 32, "another") == "another"
    # Back again there may be more than agreed: none is taken away, and no new one is made.
    assert [store.projects.mark(PEER, "theirs", gone=False) for _ in range(2)] == [True, False]
    assert [mapped.gone for mapped in store.projects.held(PEER)] == [None, None]
    assert store.projects.reserve(PEER, "third", "2" * 32, 2) is Claim.FULL
    assert not store.projects.mark(PEER, "nobody's", gone=True)
    assert store.projects.held("CloudThree") == [Mapped("theirs", "others", None)]


def test_projects_that_come_and_go_are_bounded_as_well(store: Store) -> None:
    """A peer could name ever new projects, and say that they are gone."""
    for number in range(GONE_FACTOR * 2):
        foreign, holder = f"theirs-{number}", f"{number:032}"
        assert store.projects.reserve(PEER, foreign, holder, 2) is Claim.MINE
        store.projects.bind(PEER, foreign, holder, secrets.token_hex(16))
        store.projects.mark(PEER, foreign, gone=True)
    assert store.projects.reserve(PEER, "one-more", "f" * 32, 2) is Claim.FULL
    store.forget_project(PEER, "theirs-0", "olga")
    assert store.projects.reserve(PEER, "one-more", "f" * 32, 2) is Claim.MINE
