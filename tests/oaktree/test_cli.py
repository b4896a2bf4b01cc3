"""`openstackoid oaktree` as users run it: programs, over real servers, whose clouds stand at the wire."""

import contextlib
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.rpc import error_details_pb2
from tests.oaktree.world import Oaktree, Process, Simulated, port, until

from oaktree.v1.common_pb2 import Summary
from openstackoid.cli import main
from openstackoid.oaktree.call import told

PROGRAM = (sys.executable, "-m", "openstackoid", "oaktree")


@dataclass
class Shell:
    """Where one types."""

    clouds: Simulated
    target: str

    def env(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OAKTREE_"))}
        return kept | {"OAKTREE_TARGET": self.target} | more

    def words(self, *words: str) -> list[str]:
        return [*PROGRAM, "call", *words, *(() if self.target.startswith("unix:") else ("--plaintext",))]

    def call(self, *words: str, typed: str = "", **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.words(*words),
            env=self.env(**env),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def ok(self, *words: str, typed: str = "") -> str:
        done = self.call(*words, typed=typed)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "-f", "json"))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.words(*words),
            env=self.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What starts the tests may have told its children to ignore Ctrl-C, as shells do for what is in the background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - before any thread
        )


@contextlib.contextmanager
def shell(folder: Path, *names: str, **settings: Any) -> Iterator[Shell]:
    clouds = Simulated(folder)
    try:
        oaktree = Oaktree(
            folder, clouds.clouds_yaml(folder / "clouds.yaml", names), **{"watch": {"interval": 0.1}, **settings}
        )
        try:
            yield Shell(clouds, oaktree.address)
        finally:
            oaktree.stop()
    finally:
        clouds.stop()


@pytest.fixture(scope="module")
def sh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Two clouds that are well. Tests name what they create, and delete it."""
    with shell(tmp_path_factory.mktemp("well"), "Alpha", "Beta") as made:
        yield made


@pytest.fixture(scope="module")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One that is well, one whose Nova is out of order, one that is not there."""
    folder = tmp_path_factory.mktemp("ill")
    with shell(folder, "Alpha", "Broken", timeout=10) as made:
        made.clouds.tell("Broken", fault="500")
        yield made


@pytest.fixture
def server(sh: Shell) -> Iterator[str]:
    """A server's name, for one that the test makes in Alpha."""
    name = f"vm-{uuid.uuid4().hex[:8]}"
    yield name
    sh.call("delete", "server", name, "--allow-missing", "--location", "Alpha")


# Lists.


def test_a_table_has_a_line_for_each_and_says_where_it_is(sh: Shell) -> None:
    head, rule, *rows = sh.ok("list", "servers").splitlines()
    assert head.split() == ["id", "name", "status", "addresses", "flavor", "zone", "location"]
    assert set(rule) == {"-", " "}
    assert [(row.split()[1], row.split()[-1]) for row in rows] == [
        *((f"Alpha-{number}", "Alpha/RegionOne") for number in range(3)),
        *((f"Beta-{number}", "Beta/RegionOne") for number in range(3)),
    ]
    assert len({row.index(row.split()[-1]) for row in rows}) == 1


def test_json_has_all_attributes_with_whole_numbers_and_the_location(sh: Shell) -> None:
    found = sh.json("list", "compute.server", "--location", "Beta/RegionOne")
    assert {each["location"]["cloud"] for each in found} == {"Beta"}
    assert found[0]["flavor"]["ram"] == 512
    assert isinstance(found[0]["flavor"]["ram"], int)
    assert found[0]["flavor"]["original_name"] == "m1.tiny"


@pytest.mark.parametrize(("form", "read"), [("jsonl", lambda text: [json.loads(line) for line in text.splitlines()]), ("yaml", yaml.safe_load)])  # fmt: skip
def test_columns_are_what_was_chosen_in_each_form(sh: Shell, form: str, read: Any) -> None:
    chosen = ("-c", "name", "-c", "ip=addresses.*[].addr | [0]", "-c", "cloud=location.cloud")
    found = read(sh.ok("list", "servers", "--location", "Alpha", "--filter", "name=Alpha-1", "-f", form, *chosen))
    assert found == [{"name": "Alpha-1", "ip": "10.0.0.3", "cloud": "Alpha"}]


def test_values_are_for_shell_scripts(sh: Shell) -> None:
    assert (
        sh.ok("get", "server", "Beta-2", "-c", "status", "-c", "location", "-f", "value") == "ACTIVE Beta/RegionOne\n"
    )


def test_filters_queries_sorting_and_paging(sh: Shell) -> None:
    names = ("-c", "name", "-f", "value")
    found = sh.ok("list", "servers", "--query", "ends_with(name, '-1')", "--sort", "name desc", *names)
    assert found.split() == ["Beta-1", "Alpha-1"]
    first = sh.call("list", "servers", "--sort", "name", "--page-size", "4", *names)
    assert first.stdout.split() == ["Alpha-0", "Alpha-1", "Alpha-2", "Beta-0"]
    [token] = re.findall(r"--page-token (\S+)", first.stderr)
    second = sh.call("list", "servers", "--sort", "name", "--page-size", "4", "--page-token", token, *names)
    assert second.stdout.split() == ["Beta-1", "Beta-2"]
    assert not second.stderr


def test_locations_can_be_said_in_full(sh: Shell) -> None:
    where = ("--location", "cloud=Alpha,region=RegionOne,zone=nova")
    assert len(sh.json("list", "servers", *where)) == 3
    assert sh.json("list", "servers", "--location", "cloud=Alpha,zone=mars") == []


# What goes wrong.


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("list", "servers", "--query", "name =="), "--query: expected a JMESPath"),
        (("list", "servers", "--filter", "colour=red"), "--filter colour: no attribute of compute.server"),
        (("list", "servers", "--filter", "colour"), "--filter: expected NAME=TEXT"),
        (("list", "servers", "--location", "Gamma"), "--location: no cloud-region of yours matches 'Gamma'; your clouds: Alpha, Beta"),
        (("list", "servers", "--location", "planet=Mars"), "--location: expected CLOUD"),
        (("list", "servers", "-c", "[["), "-c [[: expected a JMESPath"),
        (("list", "servers", "--page-token", "rubbish"), "--page-token: expected next_page_token"),
        (("list", "unicorns"), "there is no kind 'unicorns'"),
        (("list", "quotas"), "quotas could be any of block_storage.quota, compute.quota"),
        (("create", "server", "--set", "ram:=many"), "--set ram: expected JSON after :="),
        (("create", "server", "--from", "/nowhere"), "--from /nowhere: No such file"),
        (("create", "server", "--set", "colour=red"), "--set colour: compute.server has no such attribute"),
        (("update", "server", "Alpha-1"), "expected what to change"),
        (("watch", "server", "Alpha-1", "--until", "ACTIVE"), "--until: expected status=STATUS, or gone"),
        (("watch", "server", "Alpha-1", "--until-query", "(("), "--until-query: expected a JMESPath"),
        (("rest", "Alpha", "no/service"), "expected a service type"),
        (("kinds", "no_such"), "there is no kind"),
        (("list", "servers", "--cert", "/x"), "both --cert and --key"),
        (("upload", "/nowhere", "--name", "x", "--disk-format", "raw"), "/nowhere: No such file"),
    ],
)  # fmt: skip
def test_what_was_asked_wrongly_is_told_in_the_words_of_the_command_line(sh: Shell, words: tuple[str, ...], says: str) -> None:  # fmt: skip
    done = sh.call(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


def test_words_that_do_not_exist_are_told_by_the_parser(sh: Shell) -> None:
    done = sh.call("list", "servers", "--colour")
    assert done.returncode == 2
    assert "unrecognized arguments: --colour" in done.stderr


def test_what_is_not_there_is_told_with_where_it_was_looked_for(sh: Shell) -> None:
    done = sh.call("get", "server", "nobody")
    assert done.returncode == 1
    assert "compute.server 'nobody' is not in Alpha, Beta" in done.stderr
    assert "NOT_FOUND" in done.stderr


def test_a_cloud_that_fails_is_told_with_its_reason_and_the_others_are_shown(ill: Shell) -> None:
    done = ill.call("list", "servers")
    assert done.returncode == 3
    assert done.stdout.count("Alpha/RegionOne") == 3
    [line] = done.stderr.splitlines()
    assert line.startswith("openstackoid: Broken/RegionOne: ")
    assert "out of order" in line
    assert "CLOUD_FAILED, compute" in line
    assert ill.call("list", "servers", "--location", "Alpha").returncode == 0
    assert ill.call("list", "servers", "--location", "Broken").returncode == 1


def test_a_service_that_no_cloud_has_is_told(sh: Shell) -> None:
    done = sh.call("list", "volumes", "--location", "Alpha")
    assert "SERVICE_MISSING" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        (("", ""), 0),
        (("", "SERVICE_MISSING"), 0),
        (("", "CLOUD_UNREACHABLE"), 3),
        (("", "SERVICE_MISSING", "CLOUD_FAILED"), 3),
        (("CLOUD_FAILED", "SERVICE_MISSING"), 1),
        ((), 1),
    ],
)
def test_exit_codes_tell_all_from_some_from_none(reasons: tuple[str, ...], code: int) -> None:
    summary = Summary()
    for reason in reasons:
        result = summary.results.add()
        if reason:
            result.error.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    assert told.exit_code(summary) == code


def test_an_oaktree_that_is_not_there_is_told_with_what_to_do(sh: Shell, tmp_path: Path) -> None:
    done = sh.call("list", "servers", "--target", f"unix:{tmp_path}/nobody")
    assert done.returncode == 1
    assert f"no oaktree answers at unix:{tmp_path}/nobody" in done.stderr
    assert "openstackoid oaktree serve" in done.stderr


def test_a_timeout_is_told(ill: Shell) -> None:
    ill.clouds.tell("Alpha", latency=3000)
    try:
        done = ill.call("get", "server", "Alpha-0", "--location", "Alpha", "--timeout", "0.5")
    finally:
        ill.clouds.tell("Alpha", latency=0)
    assert done.returncode == 1
    assert "DEADLINE_EXCEEDED" in done.stderr


# What clouds say cannot steer the terminal.

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\nroot# \u202egnp\x7f\x9b31m"


@pytest.fixture
def hostile(sh: Shell) -> Iterator[None]:
    """A server with a name that would clear the screen."""
    sh.ok("create", "server", "--location", "Beta", "--from", "-", typed=json.dumps({"name": HOSTILE}))
    yield
    [found] = sh.json("list", "servers", "--location", "Beta", "--query", "contains(name, 'root#')", "-c", "id")
    sh.ok("delete", "server", found["id"], "--location", "Beta")


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("form", ["table", "json", "jsonl", "yaml", "value"])
def test_names_with_control_characters_are_shown_as_text(sh: Shell, form: str) -> None:
    shown = sh.call("list", "servers", "--location", "Beta", "-f", form)
    assert shown.returncode == 0
    assert "root#" in shown.stdout
    assert all(each.isprintable() or each == "\n" for each in shown.stdout + shown.stderr)
    if form == "json":
        assert HOSTILE in {each["name"] for each in json.loads(shown.stdout)}


@pytest.mark.usefixtures("hostile")
def test_a_watch_shows_them_as_text_too(sh: Shell) -> None:
    process = sh.start("watch", "servers", "--location", "Beta")
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(4)]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert any("root#" in line for line in lines)
    assert all(each.isprintable() for line in lines for each in line.rstrip("\n"))


# Changes.


def test_create_get_update_and_delete(sh: Shell, server: str) -> None:
    made = sh.json("create", "server", "--location", "Alpha", "--set", f"name={server}", "--set", 'metadata:={"a": "1"}')  # fmt: skip
    assert [(each["stage"], each["location"]["cloud"], each["error"]) for each in made] == [("created", "Alpha", None)]
    assert made[0]["resource"]["name"] == server
    found = sh.json("get", "server", server)
    assert found["id"] == made[0]["id"]
    assert found["metadata"]["a"] == "1"
    table = sh.ok("get", "server", server)
    assert re.search(rf"^name +{server}$", table, re.MULTILINE)
    done = sh.call("delete", "server", server)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"{made[0]['id']} is deleted in Alpha/RegionOne" in done.stderr
    assert sh.call("delete", "server", server).returncode == 1
    assert sh.call("delete", "server", server, "--allow-missing").returncode == 0


def test_a_create_everywhere_has_a_result_for_each_cloud(sh: Shell, server: str) -> None:
    table = sh.ok("create", "server", "--set", f"name={server}")
    assert table.splitlines()[0].split() == ["location", "stage", "id", "name", "status"]
    assert {line.split()[0] for line in table.splitlines()[2:]} == {"Alpha/RegionOne", "Beta/RegionOne"}
    assert server in table
    [operation] = [each for each in sh.json("operation", "list") if any(part["resource_id"] in table for part in each["parts"])]  # fmt: skip
    assert sh.call("operation", "undo", operation["id"]).returncode == 0
    assert {each["stage"] for each in sh.json("operation", "show", operation["id"])["parts"]} == {"undone"}
    assert sh.json("list", "servers", "--filter", f"name={server}") == []


def test_the_same_key_creates_nothing_twice(sh: Shell, server: str) -> None:
    words = ("create", "server", "--location", "Alpha", "--set", f"name={server}", "--idempotency-key", f"key-{server}")
    first, second = sh.json(*words), sh.json(*words)
    assert first[0]["id"] == second[0]["id"]
    assert len(sh.json("list", "servers", "--filter", f"name={server}")) == 1
    done = sh.call(*words, "--set", "key_name=other")
    assert done.returncode == 1
    assert "IDEMPOTENCY_KEY_REUSED" in done.stderr
    assert sh.json("operation", "show", f"key-{server}")["id"] == first[0]["operation_id"]


def test_a_create_that_fails_in_one_cloud_says_so_and_how_to_go_on(ill: Shell) -> None:
    done = ill.call("create", "server", "--set", "name=half")
    assert done.returncode == 3
    stages = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[2:]}
    assert stages["Alpha/RegionOne"] == "created"
    assert stages["Broken/RegionOne"] != "created"
    assert "openstackoid: Broken/RegionOne: " in done.stderr
    [operation] = re.findall(r"operation show (\w+)", done.stderr)
    assert ill.call("operation", "show", operation).returncode == 0
    ill.ok("delete", "server", "half", "--location", "Alpha")


# Watches.


def test_a_watch_ends_when_the_condition_holds(sh: Shell, server: str) -> None:
    sh.clouds.tell("Alpha", build=3)
    try:
        sh.ok("create", "server", "--location", "Alpha", "--set", f"name={server}")
        lines = sh.ok("watch", "server", server, "--until", "status=ACTIVE", "-f", "jsonl").splitlines()
    finally:
        sh.clouds.tell("Alpha", build=0)
    told = [json.loads(line) for line in lines]
    assert told[0]["change"] == "current"
    assert told[-1]["change"] == "reached"
    assert told[-1]["resource"]["status"] == "ACTIVE"


def test_a_watch_for_the_end_of_what_is_gone_ends_at_once(sh: Shell) -> None:
    assert sh.ok("watch", "server", "nobody", "--until", "gone").split()[1] == "reached"


def test_ctrl_c_ends_a_watch_and_nothing_else_is_said(sh: Shell) -> None:
    process = sh.start("watch", "server", "Alpha-1")
    assert process.stdout
    first = process.stdout.readline()
    assert "current" in first
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err) == ("", "")


@pytest.mark.parametrize("words", [("list", "servers", "-f", "jsonl"), ("watch", "servers")])
def test_a_reader_that_has_enough_is_no_error(sh: Shell, words: tuple[str, ...]) -> None:
    process = sh.start(*words)
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    if words[0] == "watch":
        # Something has to be written for the pipe to be noticed.
        sh.ok("create", "server", "--location", "Alpha", "--set", "name=noticed")
        sh.ok("delete", "server", "noticed")
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


# Beside.


def test_clouds_kinds_and_operations(sh: Shell) -> None:
    clouds = sh.json("clouds")
    assert [each["location"]["cloud"] for each in clouds] == ["Alpha", "Beta"]
    assert [line.split()[0] for line in sh.ok("clouds").splitlines()[2:]] == ["Alpha/RegionOne", "Beta/RegionOne"]
    kinds = sh.json("kinds")
    assert len(kinds) > 300
    assert {"compute.server", "baremetal.node"} <= {each["kind"] for each in kinds}
    assert {each["kind"].partition(".")[0] for each in sh.json("kinds", "image")} == {"image"}
    assert "availability_zone" in sh.ok("kinds", "server")


def test_the_token_of_the_escape_hatch_is_shown_only_when_it_is_asked_for(sh: Shell) -> None:
    found = sh.json("rest", "Alpha", "compute")
    token = found["headers"]["X-Auth-Token"]
    assert found["url"].endswith("/Alpha/compute/v2.1")
    table = sh.ok("rest", "Alpha", "compute")
    assert token not in table
    assert "X-Auth-Token" in table
    curl = sh.ok("rest", "Alpha", "compute", "servers/detail", "-f", "curl")
    assert f'url = "{found["url"]}/servers/detail"' in curl.splitlines()
    assert f'header = "X-Auth-Token: {token}"' in curl.splitlines()
    got = subprocess.run(["curl", "-sK", "-"], input=curl, capture_output=True, text=True, check=True)  # fmt: skip
    assert len(json.loads(got.stdout)["servers"]) >= 3


def test_progress_is_shown_on_a_terminal_and_goes_away(sh: Shell) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(sh.words("list", "servers"), env=sh.env(), stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert process.stdout
    assert b"Beta-2" in process.stdout.read()
    process.stdout.close()
    assert process.wait(30) == 0
    assert b"asking for compute.server" in shown
    assert shown.endswith(b"\r\x1b[K")


# Where it is, and as whom.


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A short path: sockets' paths are."""
    with tempfile.TemporaryDirectory(prefix="oak-") as folder:
        yield Path(folder)


def test_serve_and_call_meet_without_being_told_where(sh: Shell, runtime: Path, tmp_path: Path) -> None:
    clouds = sh.clouds.clouds_yaml(tmp_path / "clouds.yaml", ["Alpha"])
    env = sh.env(XDG_RUNTIME_DIR=str(runtime), XDG_STATE_HOME=str(tmp_path))
    del env["OAKTREE_TARGET"]
    process = subprocess.Popen([*PROGRAM, "serve", "--clouds", str(clouds)], env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        assert f"unix:{runtime}/oaktree.sock" in process.stderr.readline()
        assert stat.S_IMODE((runtime / "oaktree.sock").stat().st_mode) == 0o600
        done = subprocess.run([*PROGRAM, "call", "list", "servers", "-c", "name", "-f", "value"], env=env, capture_output=True, text=True, check=True)  # fmt: skip
        assert done.stdout.split() == ["Alpha-0", "Alpha-1", "Alpha-2"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        process.stderr.close()


def test_several_workers_serve_one_address(sh: Shell, tmp_path: Path) -> None:
    clouds = sh.clouds.clouds_yaml(tmp_path / "clouds.yaml", ["Alpha"])
    config = tmp_path / "oaktree.yaml"
    config.write_text(
        yaml.safe_dump({"operations": {"database": f"sqlite:///{tmp_path}/db"}, "uploads": {"folder": "."}})
    )
    at = port()
    words = ("serve", "--config", str(config), "--clouds", str(clouds), "--listen", f"127.0.0.1:{at}", "--workers", "2")
    process = Process(at, tmp_path / "log", *PROGRAM, *words)
    try:
        until(lambda: (tmp_path / "log").read_text().count("oaktree listens at") == 2, "both workers listen")
        for _ in range(4):
            assert Shell(sh.clouds, f"127.0.0.1:{at}").ok("list", "servers", "-c", "name", "-f", "value").split()
    finally:
        assert process.stop() == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--clouds", "/nowhere.yaml"), "--clouds: there is no file /nowhere.yaml"),
        (("--config", "/nowhere.yaml"), "/nowhere.yaml: No such file"),
        (("--listen", "everywhere"), "listen: everywhere: expected unix:/PATH"),
        (("--listen", "0.0.0.0:0"), "is public: expected tls"),
        (("--workers", "2"), "workers: several of them can share TCP addresses alone"),
    ],
)
def test_what_cannot_be_served_is_refused(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    assert main(["oaktree", "serve", *words]) == 1
    assert says in capsys.readouterr().err


def test_a_call_as_oneself_brings_a_token_of_ones_own_clouds_yaml(tmp_path: Path) -> None:
    with shell(tmp_path, "Alpha", "Beta", callers={"tokens": True}) as made:
        mine = made.clouds.clouds_yaml(tmp_path / "mine.yaml", [], work=made.clouds.cloud("Alpha", "bob"))
        without = made.call("list", "servers")
        assert without.returncode == 1
        assert "CALLER_UNAUTHENTICATED" in without.stderr
        words = ("list", "servers", "-c", "location.cloud", "-f", "value", "--as", "Alpha=work")
        done = made.call(*words, OS_CLIENT_CONFIG_FILE=str(mine))
        assert (done.returncode, set(done.stdout.split())) == (0, {"Alpha"}), done.stderr
        none = made.call(*words, "--as", "Beta", OS_CLIENT_CONFIG_FILE=str(mine))
        assert none.returncode == 2
        assert "--as Beta: no token of this entry" in none.stderr


def test_tokens_do_not_go_in_plain_text_over_a_network(sh: Shell, tmp_path: Path) -> None:
    mine = sh.clouds.clouds_yaml(tmp_path / "mine.yaml", ["Alpha"])
    words = ("list", "servers", "--target", "oaktree.example:50051", "--as", "Alpha")
    done = sh.call(*words, OS_CLIENT_CONFIG_FILE=str(mine))
    assert done.returncode == 2
    assert "without TLS" in done.stderr


def test_the_help_of_every_command_shows_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    verbs = ["list", "get", "create", "update", "delete", "upload", "watch", "clouds", "kinds", "rest", "operation"]
    for words in (["serve"], ["call"], *(["call", each] for each in verbs)):
        with pytest.raises(SystemExit) as ended:
            main(["oaktree", *words, "--help"])
        assert ended.value.code == 0
        assert f"openstackoid oaktree {' '.join(words)}" in capsys.readouterr().out
