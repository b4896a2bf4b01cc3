"""`openstackoid audit`: who of which cloud did what here, under which agreement; and what ours did elsewhere."""

import csv
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from tests.operators.conftest import Desk

NOW: Final = datetime.now(UTC)
BASE: Final[dict[str, Any]] = {
    "cloud": "CloudOne", "request_id": "req-1", "global_request_id": "req-1", "client": "10.0.0.9", "method": "GET",
    "service": "image", "path": "/v2/images", "scope": None, "saved_scope": None, "decision": "local", "peer": "CloudOne",
    "home": None, "user": None, "project": None, "agreement": None, "status": 200, "error": None, "ms": 1.0,
}  # fmt: skip


def line(hours: float = 0, **more: object) -> dict[str, Any]:
    time = (NOW - timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"time": time, **BASE, **more}


BOB: Final = {"home": "CloudTwo", "user": "bob", "project": "theirs", "agreement": "aaaa1111"}
ALICE: Final = {"home": "CloudOne", "user": "alice", "project": "ours", "agreement": "bbbb2222"}
LINES: Final = [
    line(9, path="/v2/old", **BOB),
    line(3, path="/v2/bob", local_user="shadow", local_project="guests", **BOB),
    line(2.5, path="/v2/bob-refused", status=403, error="agreement.rule", decision="reject", **BOB),
    line(2, path="/v2/alice", decision="remote", peer="CloudTwo", **ALICE),
    line(1.5, path="/v2/alice-at-home", **ALICE),
    line(1, path="/v2/alice-far", service="compute", decision="remote", peer="CloudThree", status=502, error="peer.unreachable", **ALICE),
    line(0.5, path="/v2/nobody-knows", decision="reject", status=401, error="token.invalid"),
    line(0.1, path="/v2/somebody"),
    line(0.05, path="/v2/passed-on", scope={"image": "CloudFour"}, decision="remote", peer="CloudFour"),
    line(0.04, path="/v2/passed-in", scope={"image": "CloudOne", "identity": "CloudFour"}),
    line(0.03, path="/v2/stayed", scope={"compute": "CloudFour"}),
    line(0.02, path="/v2/all", scope={"image": "*"}, decision="several", peer=None),
    line(0, path="/v2/eve\x1b[2J", **(BOB | {"home": "CloudThree", "user": "eve"})),
]  # fmt: skip


@pytest.fixture(autouse=True)
def trail(desk: Desk) -> None:
    (desk.folder / "audit.jsonl").write_text("".join(json.dumps(each) + "\n" for each in LINES))


def paths(desk: Desk, *words: str, answer: str = "") -> list[str]:
    return [each["path"].removeprefix("/v2/") for each in desk.run("audit", "-f", "json", *words, answer=answer).json]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "old bob bob-refused alice alice-far passed-on passed-in stayed all eve\x1b[2J"),
        ("--direction in", "old bob bob-refused passed-in eve\x1b[2J"),
        ("--direction out", "alice alice-far passed-on all"),
        ("--direction local", "stayed"),
        ("--peer CloudFour", "passed-on passed-in"),
        (
            "--all --since 100m",
            "alice-at-home alice-far nobody-knows somebody passed-on passed-in stayed all eve\x1b[2J",
        ),
        ("--peer CloudTwo", "old bob bob-refused alice"),
        ("--peer CloudThree --direction in", "eve\x1b[2J"),
        ("--peer CloudOne", ""),
        ("--user bob --since 4h", "bob bob-refused"),
        ("--user alice", "alice alice-far"),
        ("--user shadow", "bob"),
        ("--project ours", "alice alice-far"),
        ("--project guests", "bob"),
        ("--agreement aaaa", "old bob bob-refused eve\x1b[2J"),
        ("--agreement bbbb2222", "alice alice-far"),
        ("--service compute", "alice-far"),
        ("--errors", "bob-refused alice-far nobody-knows"),
        ("--errors --direction in", "bob-refused"),
        ("--since 100m", "alice-far passed-on passed-in stayed all eve\x1b[2J"),
        ("--since 2020-01-01 -n 2", "all eve\x1b[2J"),
        ("--since 2999-01-01T00:00:00+02:00", ""),
    ],
)
def test_questions(desk: Desk, words: str, expected: str) -> None:
    found = desk.ask("audit", "-f", "json", *words.split()).json
    assert [each["path"].removeprefix("/v2/") for each in found] == expected.split()


def test_the_table_names_who_what_where_and_under_what(desk: Desk) -> None:
    head, *rows = csv.reader(desk.run("audit", "--since", "4h", "-f", "csv").out.splitlines())
    assert head == ["Time", "Direction", "User", "Of", "Project", "At", "Did", "Status", "Error", "Agreement"]
    assert rows[0][1:] == [
        "in",
        "bob",
        "CloudTwo",
        "theirs",
        "CloudOne",
        "GET image /v2/bob",
        "200",
        "-",
        "aaaa1111",
    ]
    assert rows[2][1:] == [
        "out",
        "alice",
        "CloudOne",
        "ours",
        "CloudTwo",
        "GET image /v2/alice",
        "200",
        "-",
        "bbbb2222",
    ]
    assert "/v2/eve\\x1b[2J" in desk.run("audit").out
    assert desk.run("audit", "--user", "nobody").out == "nothing found\n"


def test_lines_that_are_none_of_an_audit_are_counted(desk: Desk) -> None:
    file = desk.folder / "audit.jsonl"
    damage = [b"\xff\xfe", b"[]", b"{}", b"[" * 100_000, b"", b"null", b"[NOTICE]   (7) : haproxy version is 2.6"]
    file.write_bytes(b"\n".join([*damage, file.read_bytes()]))
    done = desk.run("audit")
    assert done.code == 0
    assert len(done.out.splitlines()) == 3 + 10 + 1  # the table's head, requests, its end
    assert "6 lines that are none of an audit were left out" in done.err


def whole(**more: object) -> bytes:
    """As the gateway writes it: without spaces, the path last."""
    made = line(1, **more)
    return json.dumps(made | {"path": made.pop("path")}, separators=(",", ":")).encode()


CUT: Final = whole(path="/v2/" + "x" * 3000, **BOB)


def test_damaged_lines_are_shown_with_what_can_be_read(desk: Desk) -> None:
    """Cut by a syslog server, ended by a full disk, or mixed up with the next one."""
    half = CUT.partition(b',"path"')[0]  # who did it, and no end
    torn = b'{"time":"2030-01-01T00:00:00.000Z","clo'
    lines = [
        half,
        torn + whole(path="/v2/behind", **BOB),
        b"\xff\x1b[2J" + CUT[80:],
        torn,
        b'{"time":5,"cloud":"CloudOne"}',
    ]
    (desk.folder / "audit.jsonl").write_bytes(b"\n".join(lines))
    done = desk.run("audit", "-f", "json")
    shown = done.json
    assert [each.get("user") for each in shown] == ["bob", None, "bob", "bob", None, None]
    assert [each.get("path") for each in shown][2] == "/v2/behind"
    assert ["damaged" in each for each in shown] == [True, True, False, True, True, True]
    assert "5 damaged lines" in done.err
    table = desk.run("audit").out
    assert table.count("damaged line") == 5
    assert "\x1b" not in table


@pytest.mark.parametrize(
    ("words", "expected"),
    [("--user bob", 2), ("--user eve", 1), ("--service image", 2), ("--service compute", 1), ("--errors", 2), ("--agreement aaaa", 2),
     ("--peer CloudTwo", 2), ("--peer CloudThree", 1), ("--direction in", 2), ("--direction out", 1), ("--project none", 1),
     ("--since 2h", 2), ("--since 2999-01-01", 0)],
)  # fmt: skip
def test_what_cannot_be_read_may_be_what_is_asked_for(desk: Desk, words: str, expected: int) -> None:
    refused = whole(status=403, error="agreement.rule", **BOB).partition(b',"path"')[0]
    time = f'{{"time":"{NOW.isoformat()}","cloud":"CloudOne"'.encode()
    (desk.folder / "audit.jsonl").write_bytes(refused + b"\n" + time)
    assert len(desk.ask("audit", "-f", "json", *words.split()).json) == expected


def test_a_line_that_was_written_again_stands_there_once(desk: Desk) -> None:
    (desk.folder / "audit.jsonl").write_bytes(CUT[:100] + b"\n" + CUT + b"\n")
    done = desk.run("audit", "-f", "json")
    assert len(done.json) == 1
    assert "damaged" not in done.err


def test_lines_without_a_home_went_out_all_the_same(desk: Desk) -> None:
    old = {
        key: value for key, value in line(0, decision="remote", peer="CloudTwo").items() if key in BASE or key == "time"
    }
    for key in ("home", "user", "project", "agreement"):
        del old[key]
    (desk.folder / "audit.jsonl").write_text(
        json.dumps(old) + "\n" + json.dumps({"time": "when?", "cloud": "CloudOne", "home": 5})
    )
    (shown,) = desk.run("audit", "-f", "json").json
    assert (shown["direction"], shown["peer"]) == ("out", "CloudTwo")


def test_other_files_than_the_configured_one(desk: Desk) -> None:
    (desk.folder / "audit.jsonl.1.gz").write_bytes(
        gzip.compress(json.dumps(line(50, path="/v2/older", **BOB)).encode())
    )
    assert paths(desk, "audit.jsonl.1.gz", "audit.jsonl", "--direction", "in")[:2] == ["older", "old"]
    assert paths(desk, "-", answer=json.dumps(LINES[0])) == ["old"]
    assert paths(desk, "--config", "none.yaml", "audit.jsonl", "--user", "eve") == ["eve\x1b[2J"]


def test_what_is_asked_wrongly(desk: Desk) -> None:
    for words, code, expected in (
        (["--since", "yesterday"], 2, "--since: expected 30s, 15m, 2h, 7d"),
        (["--service", "No/Service"], 2, "--service: expected a service type"),
        (["--direction", "up"], 2, "invalid choice"),
        (["none.jsonl"], 1, "none.jsonl: No such file"),
        (["keys.json", "gateway.yaml.gz"], 1, "gateway.yaml.gz: No such file"),
        (["--config", "none.yaml"], 1, "none.yaml: No such file"),
    ):
        done = desk.run("audit", *words)
        assert (done.code, done.out) == (code, "")
        assert expected in done.err
    del desk.config["audit"]
    desk.write()
    done = desk.run("audit")
    assert done.code == 1
    assert "standard output" in done.err


def test_lines_of_the_fast_path_are_read_as_the_gateways(desk: Desk) -> None:
    """As HAProxy writes them, with dashes for what it does not know."""
    told = {
        "time": NOW.isoformat(),
        "cloud": "CloudOne",
        "by": "haproxy",
        "client": "10.0.0.9",
        "method": "GET",
        "global_request_id": "-",
        "service": "image",
        "path": "/v2/images",
        "status": 200,
        "ms": 3,
    }
    ours = told | {"way": "R", "peer": "CloudTwo", "user": "u1", "project": "p1", "agreement": "a1"}
    here = told | {"way": "L", "peer": "-", "user": "-", "project": "-", "agreement": "-"}
    file = desk.folder / "haproxy.log"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in (ours, here)))
    shown, stayed = desk.run("audit", "-f", "json", str(file)).json
    assert (stayed["direction"], stayed["decision"], stayed["user"]) == ("local", "local", None)
    assert (shown["direction"], shown["user"], shown["peer"], shown["decision"]) == ("out", "u1", "CloudTwo", "remote")
    assert shown["global_request_id"] is None
