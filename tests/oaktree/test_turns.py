"""Turns to compute: few at a time, those with an answer first, and nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.oaktree.upstream import until

from openstackoid.oaktree.upstream.turns import Turns

LONG = 60.0


def test_no_more_compute_than_have_turns() -> None:
    turns = Turns(2, patience=LONG, start=LONG)
    running = most = 0
    lock = threading.Lock()

    def compute(_: int) -> None:
        nonlocal running, most
        with turns.running():
            for _ in range(20):
                with lock:
                    running += 1
                    most = max(most, running)
                with lock:
                    running -= 1
                with turns.resting():
                    pass

    with ThreadPoolExecutor(32) as threads:
        list(threads.map(compute, range(64)))
    assert most <= 2


def test_who_comes_back_goes_before_who_begins() -> None:
    turns = Turns(1, patience=LONG, start=LONG)
    order: list[str] = []
    rests, answered = threading.Event(), threading.Event()

    def asks() -> None:
        with turns.running():
            with turns.resting():
                rests.set()
                answered.wait(LONG)
            order.append("back")

    def begins() -> None:
        with turns.running():
            order.append("new")

    threads = [threading.Thread(target=asks), threading.Thread(target=begins)]
    threads[0].start()
    assert rests.wait(LONG)
    with turns.running():
        threads[1].start()
        until(lambda: len(turns._new) == 1)
        answered.set()
        until(lambda: len(turns._back) == 1)
    for each in threads:
        each.join(LONG)
    assert order == ["back", "new"]


def test_who_waits_too_long_goes_on_without() -> None:
    turns = Turns(1, patience=0.01, start=0.01)
    done = threading.Event()

    def other() -> None:
        with turns.running(), turns.resting():
            done.set()

    with turns.running():
        thread = threading.Thread(target=other)
        thread.start()
        assert done.wait(LONG)
        thread.join(LONG)
    assert turns._free == 1


def test_a_turn_ends_with_an_error() -> None:
    turns = Turns(1, patience=LONG, start=LONG)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"), turns.running(), turns.resting():
            raise ValueError("x")
    assert turns._free == 1


def test_who_does_not_compute_in_turn_rests_without_one() -> None:
    turns = Turns(1)
    with turns.resting():
        assert turns._free == 1
    assert turns._free == 1
