"""What memory keeps of what is remembered, and what goes first."""

from hypothesis import given
from hypothesis import strategies as st

from openstackoid.oaktree.cache.backends import MemoryBackend


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000)), max_size=60))
def test_memory_is_bounded_and_what_was_used_last_stays(sets: list[tuple[int, int]]) -> None:
    backend = MemoryBackend({"most_bytes": 5000})
    for number, size in sets:
        backend.set_serialized(str(number), b"x" * size)
        assert backend.size <= 5000
        assert backend.get_serialized(str(number)) == b"x" * size
    assert backend.size == sum(len(value) + 480 for value in backend._entries.values())
    backend.delete_multi([str(number) for number in range(10)])
    assert backend.size == 0


def test_a_value_larger_than_the_memory_is_not_kept() -> None:
    backend = MemoryBackend({"most_bytes": 1000})
    backend.set_serialized("a", b"x")
    backend.set_serialized("a", b"x" * 2000)
    assert not backend.get_serialized("a")
    assert backend.size == 0


def test_what_was_used_longest_ago_goes_first() -> None:
    backend = MemoryBackend({"most_bytes": 1500})
    for name in ("a", "b", "c"):
        backend.set_serialized(name, b"x")
    assert backend.get_serialized("a")
    backend.set_serialized("d", b"x")
    assert [bool(each) for each in backend.get_serialized_multi(["a", "b", "c", "d"])] == [True, False, True, True]
