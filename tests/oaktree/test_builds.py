"""A build is taken from the cache for the same sources and tools, and for no others."""

import os
from pathlib import Path

import pytest
from tests.oaktree.builds import built, digest

TOOLS = (("uname", "-r"),)


def test_what_is_the_same_is_built_once(tmp_path: Path) -> None:
    sources, times = tmp_path / "sources", []
    (sources / "below").mkdir(parents=True)
    (sources / "below" / "file").write_text("1")

    def build(folder: Path) -> None:
        times.append(folder)
        (folder / "program").write_text((sources / "below" / "file").read_text())

    def program() -> str:
        key = digest([sources], TOOLS, ["grpcio"])
        return (built("made", key, build, tmp_path / "cache") / "program").read_text()

    assert [program(), program(), len(times)] == ["1", "1", 1]
    (sources / "below" / "file").write_text("2")
    assert [program(), program(), len(times)] == ["2", "2", 2]
    # What nobody has used for long goes.
    for kept in (tmp_path / "cache").iterdir():
        os.utime(kept, (0, 0))
    assert program() == "2"
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_all_that_it_depends_on_is_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    keys = [
        digest([tmp_path / "a"], TOOLS, ["grpcio"]),
        digest([tmp_path / "b"], TOOLS, ["grpcio"]),
        digest([tmp_path / "a"], (("uname", "-s"),), ["grpcio"]),
        digest([tmp_path / "a"], TOOLS, ["protobuf"]),
    ]
    assert len(set(keys)) == len(keys)


def test_what_failed_is_not_kept(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no compiler")

    with pytest.raises(OSError, match="no compiler"):
        built("made", "key", fails, tmp_path)
    assert not list(tmp_path.iterdir())
    assert built("made", "key", lambda folder: (folder / "whole").touch(), tmp_path) == tmp_path / "made-key"


def test_who_comes_second_takes_what_the_first_has_made(tmp_path: Path) -> None:
    def meanwhile(folder: Path) -> None:
        built("made", "key", lambda other: (other / "first").touch(), tmp_path)
        (folder / "second").touch()

    assert [path.name for path in built("made", "key", meanwhile, tmp_path).iterdir()] == ["first"]
