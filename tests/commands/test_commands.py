"""What is forked is what would have been started: the same to whoever starts it, and to itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import commands
from tests.client.conftest import FakeCloud

PROBE = (sys.executable, "-m", "tests.commands.probe")
OPENSTACKOID = (sys.executable, "-m", "openstackoid")
OPENSTACK = str(Path(sys.executable).with_name("openstack"))
ROOT = Path(__file__).parents[2]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A command by a fork and by a real start: what came of it, twice."""
    monkeypatch.delenv("OPENSTACKOID_REAL_STARTS", raising=False)

    def run(*words: str, **options: Any) -> list[tuple[int, Any, Any]]:
        outcomes = []
        options = {"capture_output": True, "text": True, "timeout": 120, **options}
        for start in (commands.run, subprocess.run):
            done = start(words, **options)
            outcomes.append((done.returncode, done.stdout, done.stderr))
        return outcomes

    return run


def is_forked(process: "subprocess.Popen[Any]") -> bool:
    return b"server.py" in Path(f"/proc/{process.pid}/cmdline").read_bytes()


@pytest.mark.parametrize(
    "options", [{}, {"start_new_session": True}, {"input": "what\nwas typed"}, {"stdin": subprocess.DEVNULL}]
)
def test_a_process_finds_what_it_would_have_found(both: Any, options: dict[str, Any]) -> None:
    environment = os.environ | {
        "OS_CLOUD": "one",
        "OAKTREE_TARGET": "ü",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    (code, forked, heard), real = both(*PROBE, "7", "a b", "", cwd=ROOT, env=environment, **options)
    assert (code, heard) == (real[0], real[2]) == (7, "to the other\n")
    ours, theirs = json.loads(forked), json.loads(real[1])
    if "stdin" not in options:
        # A pipe or pytest's own; two pipes are two.
        ours["streams"], theirs["streams"] = len(set(ours["streams"])), len(set(theirs["streams"]))
    else:
        ours["streams"], theirs["streams"] = ours["streams"][0], theirs["streams"][0]
    assert ours == theirs
    assert ours["parent"] == os.getpid()


@pytest.mark.parametrize("code", ["0", "7", "-1", "256"])
def test_it_ends_as_it_would_have_ended(both: Any, code: str) -> None:
    ends = [(done[0], done[1].splitlines()[1:], done[2]) for done in both(*PROBE, code, "open", cwd=ROOT, input="")]
    assert ends == [(int(code) & 0xFF, ["in a thread", "at the end", "let go"], "to the other\n")] * 2


def test_what_nobody_reads_is_said_at_the_end(both: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    options = {"capture_output": False, "stdout": writing, "stderr": subprocess.PIPE}
    ends = [(done[0], done[2].splitlines()[-1]) for done in both(*PROBE, "0", input="", cwd=ROOT, **options)]
    os.close(writing)
    # With PYTHONUNBUFFERED it is met before the end.
    code = 1 if os.environ.get("PYTHONUNBUFFERED") else 120
    assert ends == [(code, "BrokenPipeError: [Errno 32] Broken pipe")] * 2


def test_the_clients_answers_are_the_same(both: Any, tmp_path: Path) -> None:
    nowhere = os.environ | {"OS_CLOUD": "missing", "OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml")}
    for words in (
        ["--version"],
        ["image", "list"],
        ["no", "such", "command"],
        ["scope", "explain", "--help"],
        ["--os-auth-type", "none", "image", "list"],
    ):
        forked, real = both(OPENSTACK, *words, cwd=tmp_path, env=nowhere)
        assert forked == real


def test_the_client_works_at_a_cloud_as_it_does_in_full(both: Any, tmp_path: Path) -> None:
    with FakeCloud() as cloud:
        login = {"auth_url": f"{cloud.url}/identity", "username": "alice", "password": "secret", "project_name": "p"}
        login |= {"user_domain_id": "default", "project_domain_id": "default", "scope": "image=CloudTwo"}
        env = os.environ | {f"OS_{name.upper()}": value for name, value in login.items()}
        for words in (["image", "list", "-f", "json"], ["cloud", "peer", "list"]):
            forked, real = both(OPENSTACK, *words, cwd=tmp_path, env=env)
            assert forked == real
            assert (forked[0], "CloudTwo" in forked[1]) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        ["peer", "list"],
        ["key", "show"],
        ["gateway", "--config", "none.yaml"],
        ["gateway", "--help"],
        ["haproxy", "check", "--config", "none.yaml"],
        ["oaktree", "serve", "--config", "none.yaml"],
        ["oaktree", "call", "list", "servers", "--target", "127.0.0.1:9", "--plaintext"],
        ["oaktree", "call", "list", "--help"],
    ],
)  # fmt: skip
def test_our_answers_are_the_same(both: Any, tmp_path: Path, words: list[str]) -> None:
    forked, real = both(*OPENSTACKOID, *words, cwd=tmp_path, env=os.environ | {"COLUMNS": "100"})
    assert forked == real


def test_it_ends_by_signals_and_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENSTACKOID_REAL_STARTS", raising=False)
    # A shell that starts the tests in the background has them ignore SIGINT, and what they start as well.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    for number in (signal.SIGTERM, signal.SIGKILL, *(() if ignored else (signal.SIGINT,))):
        with commands.popen(PROBE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert is_forked(process)
            assert process.poll() is None
            process.send_signal(number)
            assert process.wait(60) == -number
    with pytest.raises(subprocess.TimeoutExpired):
        commands.run(PROBE, stdin=os.pipe()[0], timeout=0.1)


def test_a_tracebacks_last_line_and_its_code_are_the_same(both: Any) -> None:
    forked, real = both(*PROBE, "x", input="")
    assert forked[0] == real[0] == 1
    assert (
        forked[2].splitlines()[-1]
        == real[2].splitlines()[-1]
        == "ValueError: invalid literal for int() with base 10: 'x'"
    )


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({"OPENSTACKOID_REAL_STARTS": "1"}, {}),
        ({}, {"env": os.environ | {"HOME": "/elsewhere"}}),  # read by imports
        ({}, {"env": os.environ | {"PYTHONHASHSEED": "1"}}),
        ({}, {"preexec_fn": os.getpid}),
        ({}, {"pass_fds": (0,)}),
        ({}, {"umask": 0o77}),
    ],
)
def test_what_a_fork_cannot_give_is_started_in_full(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: dict[str, Any]
) -> None:
    monkeypatch.delenv("OPENSTACKOID_REAL_STARTS", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with commands.popen(
        PROBE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    ) as process:
        forked = is_forked(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(b"", 60)
    assert (forked, process.returncode) == (False, 0)
