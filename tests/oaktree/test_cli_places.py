"""Where a server is, and as whom it is called: what `openstackoid oaktree serve` and `call` agree on."""

import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests import commands
from tests.oaktree.shell import PROGRAM, Shell, shell
from tests.oaktree.upstream import until
from tests.oaktree.world import Process
from tests.ports import free_port

from openstackoid.cli import main
from openstackoid.commands.listing import COMMANDS, group_of


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A short path: sockets' paths are."""
    with tempfile.TemporaryDirectory(prefix="oak-") as folder:
        yield Path(folder)


def test_serve_and_call_meet_without_being_told_where(sh: Shell, runtime: Path, tmp_path: Path) -> None:
    clouds = sh.clouds.clouds_yaml(tmp_path / "clouds.yaml", ["Alpha"])
    env = sh.env(XDG_RUNTIME_DIR=str(runtime), XDG_STATE_HOME=str(tmp_path))
    del env["OAKTREE_TARGET"]
    process = commands.popen([*PROGRAM, "serve", "--clouds", str(clouds)], env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        assert f"unix:{runtime}/oaktree.sock" in process.stderr.readline()
        assert stat.S_IMODE((runtime / "oaktree.sock").stat().st_mode) == 0o600
        done = commands.run([*PROGRAM, "call", "list", "servers", "-c", "name", "-f", "value"], env=env, capture_output=True, text=True, check=True)  # fmt: skip
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
    at = free_port()
    words = ("serve", "--config", str(config), "--clouds", str(clouds), "--listen", f"127.0.0.1:{at}", "--workers", "2")
    process = Process(at, tmp_path / "log", *PROGRAM, *words)
    try:
        until(lambda: (tmp_path / "log").read_text().count("oaktree listens at") == 2)
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


@pytest.mark.parametrize(
    "words",
    [
        *("serve", "call list", "call get", "call create", "call update", "call delete", "call upload", "call watch"),
        *("call clouds", "call kinds", "call rest", "call group build"),
        *(f"call operation {action}" for action in ("list", "show", "wait", "undo")),
    ],
)
def test_the_help_of_every_command_shows_what_it_does(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["oaktree", *words.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: openstackoid oaktree {words} ")
    assert main(["help", "oaktree", *words.split()]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("group", ["", "call", "call group", "call operation"])
def test_a_group_lists_its_commands(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"oaktree {group}".strip()
    assert main([*name.split(), "--help"]) == main(["help", *name.split()]) == 0
    shown = capsys.readouterr().out
    assert shown.count(f"usage: openstackoid {name} COMMAND") == 2
    members = {command.name for command in COMMANDS if group_of(command.name) == name}
    assert members
    assert all(f"  {member}  " in shown for member in members)
    with pytest.raises(SystemExit) as ended:
        main([*name.split(), "nothing"])
    assert ended.value.code == 2
    assert f"no command '{name} nothing'; there are: " in capsys.readouterr().err


def test_a_list_as_csv(sh: Shell) -> None:
    """As all other commands that list have it."""
    lines = sh.ok("list", "servers", "-c", "name", "-c", "where=location", "--sort", "name", "-f", "csv").splitlines()
    assert lines[0] == "name,where"
    table = sh.ok("list", "servers", "-c", "name", "--sort", "name", "-f", "value").split()
    assert [line.partition(",")[0] for line in lines[1:]] == table
