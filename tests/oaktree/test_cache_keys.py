"""Which questions have the same answer."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openstackoid.oaktree.cache.keys import Key, identity

PARTS = st.dictionaries(
    st.sampled_from(["cloud", "region", "auth_url", "user_id", "project_id", "domain_id", "system"]),
    st.one_of(st.none(), st.text(max_size=6)),
)
QUESTIONS = st.tuples(PARTS, st.text(max_size=6), st.binary(max_size=6))


@given(QUESTIONS, QUESTIONS)
def test_different_questions_have_different_keys(one: Any, two: Any) -> None:
    first, second = (Key(identity(**parts), kind, question) for parts, kind, question in (one, two))
    assert (first.digest == second.digest) == (one == two)
    assert (first.generation == second.generation) == (one[:2] == two[:2])


@given(st.text(max_size=8), st.text(max_size=8), st.binary(max_size=8), st.integers(0, 8))
def test_what_moves_from_one_part_to_the_next_makes_another_key(who: str, kind: str, question: bytes, at: int) -> None:
    moved = Key(who + kind[:at], kind[at:], question)
    assert (Key(who, kind, question).digest == moved.digest) == (not kind[:at])
