"""Pages of the newest lines of audit: whole, each line once, in bounded pieces, over files that are rotated meanwhile."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from openstackoid.audit import trail
from openstackoid.audit.filters import read
from openstackoid.audit.trail import MarkerError, Page, StoppedError, Trail


def line(number: int, **more: Any) -> dict[str, Any]:
    """The line of second `number` of a day."""
    time = f"2030-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000Z"
    return {"time": time, "cloud": "CloudOne", "status": 200, "error": None, "path": f"/{number}", **more}


def text(*numbers: int, **more: Any) -> bytes:
    return b"".join(json.dumps(line(number, **more), separators=(",", ":")).encode() + b"\n" for number in numbers)


def numbers(page: Page) -> list[int]:
    return [int(found["path"][1:]) for found in page.lines]


def all_pages(made: Trail, limit: int, **filters: str) -> list[Page]:
    wanted = read({"all": "true", **filters})
    pages = [made.page(wanted.matches, limit, None, wanted.since, wanted.until)]
    while pages[-1].marker:
        assert len(pages) < 1000
        pages.append(made.page(wanted.matches, limit, pages[-1].marker, wanted.since, wanted.until))
    return pages


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    """A file of 20 lines, rotated twice, the older one packed."""
    file = tmp_path / "audit.jsonl"
    file.write_bytes(text(*range(14, 20)))
    (tmp_path / "audit.jsonl.1").write_bytes(text(*range(7, 14)))
    (tmp_path / "audit.jsonl.2.gz").write_bytes(gzip.compress(text(*range(7))))
    (tmp_path / "audit.jsonl.3").touch()
    (tmp_path / "another.jsonl").write_bytes(text(21))
    return file


@pytest.mark.parametrize("limit", [1, 3, 6, 7, 20, 100])
def test_pages_hold_each_line_once_newest_first_over_rotated_files(rotated: Path, limit: int) -> None:
    pages = all_pages(Trail([rotated]), limit)
    assert [number for page in pages for number in numbers(page)] == list(reversed(range(20)))
    assert {len(page.lines) for page in pages[:-1]} <= {limit}


def test_two_trails_are_one_by_time(tmp_path: Path) -> None:
    gateways, haproxys = tmp_path / "audit.jsonl", tmp_path / "haproxy.log"
    gateways.write_bytes(text(1, 4, 5, 9))
    fields = {"by": "haproxy", "way": "R", "peer": "CloudTwo", "user": "-"}
    haproxys.write_bytes(b"[NOTICE] (7) : starting\n" + text(2, 3, 6, 7, 8, **fields))
    pages = all_pages(Trail([gateways, haproxys, tmp_path / "missing"]), 2)
    assert [number for page in pages for number in numbers(page)] == list(range(9, 0, -1))
    assert [page.lines[0]["decision"] for page in pages[1:2]] == ["remote"]


def test_a_page_goes_on_where_it_ended_though_files_were_rotated_and_packed_meanwhile(rotated: Path) -> None:
    made = Trail([rotated])
    first = made.page(read({"all": "true"}).matches, 3)
    folder = rotated.parent
    (folder / "audit.jsonl.1").rename(folder / "audit.jsonl.2")
    rotated.rename(folder / "audit.jsonl.1")
    (folder / "audit.jsonl.1.gz").write_bytes(gzip.compress((folder / "audit.jsonl.1").read_bytes()))
    (folder / "audit.jsonl.1").unlink()
    rotated.write_bytes(text(20, 21))
    rest = made.page(read({"all": "true"}).matches, 100, first.marker)
    assert numbers(first) + numbers(rest) == list(reversed(range(20)))


def test_a_page_reads_a_bounded_part_and_says_how_far_it_came(rotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "_PIECE", 300)
    monkeypatch.setattr(trail, "BUDGET", 600)
    seen: list[int] = []
    pages = all_pages(Trail([rotated]), 100, user="nobody")
    assert len(pages) == 3
    assert all(page.lines == [] for page in pages)
    reached = [page.reached for page in pages if page.reached]
    assert reached == sorted(reached, reverse=True)
    assert (reached[0][:16], pages[-1].reached) == ("2030-01-01T00:00", line(0)["time"])
    for page in all_pages(Trail([rotated]), 100):
        seen += numbers(page)
    assert seen == list(reversed(range(20)))


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_a_page_for_which_nobody_waits_ends_at_the_next_piece(tmp_path: Path, most: int) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(text(3))
    (tmp_path / "audit.jsonl.1.gz").write_bytes(gzip.compress(text(1) + b"x" * (1 << 20)))  # of several pieces
    looks: list[None] = []

    def stopped() -> bool:
        looks.append(None)
        return len(looks) > most

    with pytest.raises(StoppedError):
        Trail([file], stopped).page(lambda _: False, 1)
    assert len(looks) == most + 1


def test_what_is_longer_than_a_piece_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "_PIECE", 300)
    file = tmp_path / "audit.jsonl"
    file.write_bytes(text(1, 2) + b"x" * 5000 + b"\n" + text(3))
    assert [number for page in all_pages(Trail([file]), 1) for number in numbers(page)] == [3, 2, 1]


def test_damaged_lines_are_shown_once_and_two_in_a_row_are_two(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    torn = text(2)[:40]
    file.write_bytes(text(1) + torn + b"\n" + text(2) + text(3).rstrip() + text(4)[:60] + text(5) + b'{"time":"2030\n')
    (page,) = all_pages(Trail([file]), 100)
    assert [found.get("path", found["time"]) for found in page.lines] == ["/5", line(4)["time"], "/3", "/2", "/1"]
    assert page.damaged == 1
    # Where a page ends just before the whole line, its first part is shown, too: nothing is left out.
    single = [found.get("path", found["time"]) for page in all_pages(Trail([file]), 1) for found in page.lines]
    assert single == ["/5", line(4)["time"], "/3", "/2", line(2)["time"], "/1"]


def test_times_bound_what_is_read(rotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    before = trail._File.before

    def noted(file: Any, *arguments: Any) -> tuple[bytes, int]:
        opened.append(file.path.name)
        return before(file, *arguments)

    monkeypatch.setattr(trail._File, "before", noted)
    asked = read({"all": "true", "until": "2030-01-01T00:00:14Z"})
    found = Trail([rotated]).page(asked.matches, 3, None, asked.since, asked.until)
    assert (numbers(found), opened) == ([13, 12, 11], ["audit.jsonl.1"])
    since = datetime(2030, 1, 1, 0, 2, tzinfo=UTC)
    assert Trail([rotated]).page(lambda _: True, 100, None, since) == Page([], None, None, 0)


@pytest.mark.parametrize(
    "marker", ["", "x", "-,-", f"{'0' * 16}.5", "0" * 16, f"../../etc/passwd.{'1'}", f"{'f' * 16}.-1"]
)
def test_a_marker_that_is_none_is_refused(rotated: Path, marker: str) -> None:
    if marker:
        with pytest.raises(MarkerError):
            Trail([rotated]).page(lambda _: True, 1, marker)
    assert numbers(Trail([rotated]).page(lambda _: True, 1, "")) == [19]


@pytest.mark.parametrize(
    ("given", "matching"),
    [
        ({"status": "4xx"}, [2, 3]),
        ({"status": "403"}, [2]),
        ({"request": "req-chain"}, [1, 4]),
        ({"request": "req-answer"}, [2]),
        ({"peer": "CloudThree"}, [4]),
        ({"errors": "true"}, [2, 3]),
        ({"since": "2030-01-01T00:00:02", "until": "2030-01-01T00:00:04Z", "all": "true"}, [2, 3]),
        ({"service": "volumev3"}, [3]),
    ],
)
def test_filters(given: dict[str, str], matching: list[int]) -> None:
    scoped = {"scope": {"image": "*"}}
    lines = [
        line(1, decision="remote", peer="CloudTwo", global_request_id="req-chain"),
        line(2, status=403, error="agreement.rule", request_id="req-answer", **scoped),
        line(3, status=404, service="block-storage", **scoped),
        line(
            4,
            decision="several",
            global_request_id="req-chain",
            legs=[{"peer": "CloudTwo"}, {"peer": "CloudThree"}, "x"],
            **scoped,
        ),
    ]
    assert [int(found["path"][1:]) for found in lines if read(given).matches(found)] == matching


@pytest.mark.parametrize(
    "given",
    [{"status": "99"}, {"status": "4x"}, {"since": "x"}, {"service": "no such"}, {"direction": "up"}, {"all": "1"}],
)
def test_a_filter_that_is_none_names_its_parameter(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        read(given)
