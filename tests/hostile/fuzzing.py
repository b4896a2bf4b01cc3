"""Fuzzing as a habit: each target runs for a second of CPU with the other tests, and for three minutes with `OPENSTACKOID_FULL=1`.

With the other tests the examples are the same each time, so that a change is judged by what it changed; new ones are looked for in the
full run. What was found once stays as an example of its target, which runs first each time.
"""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st
from tests.volume import FULL

SECONDS: Final = 180 if FULL else 1  # of CPU, so that neighbours on a busy machine take nothing from it
_ROUND: Final = 200  # examples between two looks at the clock
_ROUNDS: Final = 1_000_000 if FULL else 20  # of one target at most


def fuzz(*examples: Mapping[str, Any], **strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """Decorate a test that takes what the strategies make: hypothesis counts examples, and this counts seconds."""

    def decorate(test: Callable[..., None]) -> Callable[[], None]:
        left, end, failed = 0, 0.0, False

        def one(**given_: Any) -> None:
            nonlocal left, failed
            left -= 1
            # What failed is tried again when time is over: hypothesis makes it smaller.
            if left < 0 and not failed and time.process_time() > end:
                return
            try:
                test(**given_)
            except BaseException:
                failed = True
                raise

        functools.update_wrapper(one, test)
        body = given(**strategies)(one)
        for each in examples:
            body = example(**each)(body)
        body = settings(max_examples=_ROUND, deadline=None, suppress_health_check=list(HealthCheck))(body)

        def run() -> None:
            nonlocal left, end
            left, end = len(examples), time.process_time() + SECONDS
            for number in range(_ROUNDS):
                if time.process_time() < end:
                    (body if FULL else seed(number)(body))()

        # Without `__wrapped__`, from which pytest would take the test's arguments for fixtures.
        functools.update_wrapper(run, test)
        del run.__wrapped__  # type: ignore[attr-defined]
        return run

    return decorate


def plain(error: Exception, longest: int = 4000) -> None:
    """Fail if an error says nothing, or repeats all that somebody sent."""
    assert 0 < len(str(error)) < longest


# Characters that end, quote, divide or hide something somewhere.
SHARP: Final = " \t\r\n\0;<>\\\"'|!{}%?#@:/,&=~.*\x7f\x85\xa0\u2028\ud800\udcffé😀"
words = st.one_of(
    st.sampled_from(
        ["", "*", "CloudOne", "CloudTwo", "image", "identity", "default", "same", "href", "next", "http://t.example/"]
    ),
    st.text(st.sampled_from(SHARP + "aA0-_"), max_size=12),
    st.text(max_size=8),
)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.integers(10**18, 10**40), words, st.just("x" * 5000)
)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
schemes = st.sampled_from(["http://", "https://", "HTTP://", "//", "http:/", "http:\\\\", "ftp://", "file://", ""])
hosts = st.one_of(
    st.sampled_from(
        ["127.0.0.1", "[::1]", "c2.example", "c2.example:9292", "c2.example:0", "c2.example:99999", "u:p@c2.example"]
    ),
    st.sampled_from(
        ["[::1%25eth0]", "c2.example:", "c2.example:+80", "c2。example", "C2.Example", "0x7f.1", "[", "[]", "a[b]"]
    ),
    words,
)
urls = st.one_of(
    st.builds(
        "{}{}{}".format, schemes, hosts, st.sampled_from(["", "/"]).flatmap(lambda slash: words.map(slash.__add__))
    ),
    words,
)


def changed(valid: Any) -> st.SearchStrategy[Any]:
    """A valid JSON document with something in it replaced, doubled, left out, or added."""

    def change(value: Any, draw: Any, left: int) -> Any:
        if left == 0 or not isinstance(value, dict | list) or not value:
            return draw(anything | urls)
        if isinstance(value, list):
            at = draw(st.integers(0, len(value) - 1))
            made = [*value]
            made[at] = change(value[at], draw, left - 1)
            return made * draw(st.sampled_from([1, 1, 1, 2, 50]))
        key = draw(st.sampled_from(sorted(value)))
        match draw(st.sampled_from(["deeper", "deeper", "deeper", "gone", "renamed", "more"])):
            case "gone":
                return {name: each for name, each in value.items() if name != key}
            case "renamed":
                return {draw(words) if name == key else name: each for name, each in value.items()}
            case "more":
                return value | {draw(words): draw(anything)}
            case _:
                return value | {key: change(value[key], draw, left - 1)}

    @st.composite
    def made(draw: Any) -> Any:
        found = valid
        for _ in range(draw(st.integers(1, 3))):
            if isinstance(found, dict | list):
                found = change(found, draw, draw(st.integers(1, 5)))
        return found

    return made()
