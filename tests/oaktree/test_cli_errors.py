"""What the command line says when something is wrong, and what it does not let a terminal see."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.rpc import error_details_pb2
from tests.oaktree.shell import Shell

from oaktree.v1.common_pb2 import Summary
from openstackoid.oaktree.call import errors


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
    assert errors.exit_code(summary) == code


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
