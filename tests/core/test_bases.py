"""Bases are found as if each of them had been tried, the longest first."""

from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core.bases import Bases

ORIGINS = ("http://a", "http://a:1", "http://ab", "https://a")
BASES = st.builds(str.__add__, st.sampled_from(ORIGINS), st.sampled_from(("", "/x", "/xy", "/x/y", "/y", "/x/y/z")))
TAILS = st.text(alphabet="/xy?#:1", max_size=6)


def tried(table: dict[str, str], url: str) -> str:
    for old, new in sorted(table.items(), key=lambda pair: -len(pair[0])):
        if url.startswith(old) and (len(url) == len(old) or url[len(old)] in "/?#"):
            return new + url[len(old) :]
    return url


@given(st.dictionaries(BASES, st.sampled_from(("http://new", "http://new/x"))), st.one_of(BASES, st.text()), TAILS)
def test_as_if_each_was_tried(table: dict[str, str], base: str, tail: str) -> None:
    assert Bases(table).url(base + tail) == tried(table, base + tail)


def test_a_look_up_does_not_grow_with_the_table() -> None:
    """As many steps as there are lengths of paths, however many bases."""
    bases = Bases({f"http://a/{number:05}": "http://new" for number in range(20_000)})
    assert bases._lengths == {"http://a": [len("http://a/00000")]}
    assert bases.url("http://a/01234/v2") == "http://new/v2"
    assert bases.url("http://a/x/v2") == "http://a/x/v2"
