"""`openstackoid oaktree call` as users run it: lists, changes, watches, and what is beside them."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.oaktree.shell import Shell

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


# Changes.


@pytest.fixture
def vm(sh: Shell) -> Iterator[str]:
    """A server's name, for one that the test makes in Alpha."""
    name = f"vm-{uuid.uuid4().hex[:8]}"
    yield name
    sh.call("delete", "server", name, "--allow-missing", "--location", "Alpha")


def test_create_get_update_and_delete(sh: Shell, vm: str) -> None:
    made = sh.json("create", "server", "--location", "Alpha", "--set", f"name={vm}", "--set", 'metadata:={"a": "1"}')  # fmt: skip
    assert [(each["stage"], each["location"]["cloud"], each["error"]) for each in made] == [("created", "Alpha", None)]
    assert made[0]["resource"]["name"] == vm
    found = sh.json("get", "server", vm)
    assert found["id"] == made[0]["id"]
    assert found["metadata"]["a"] == "1"
    table = sh.ok("get", "server", vm)
    assert re.search(rf"^name +{vm}$", table, re.MULTILINE)
    done = sh.call("delete", "server", vm)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"{made[0]['id']} is deleted in Alpha/RegionOne" in done.stderr
    assert sh.call("delete", "server", vm).returncode == 1
    assert sh.call("delete", "server", vm, "--allow-missing").returncode == 0


def test_a_create_everywhere_has_a_result_for_each_cloud(sh: Shell, vm: str) -> None:
    table = sh.ok("create", "server", "--set", f"name={vm}")
    assert table.splitlines()[0].split() == ["location", "stage", "id", "name", "status"]
    assert {line.split()[0] for line in table.splitlines()[2:]} == {"Alpha/RegionOne", "Beta/RegionOne"}
    assert vm in table
    [operation] = [each for each in sh.json("operation", "list") if any(part["resource_id"] in table for part in each["parts"])]  # fmt: skip
    assert sh.json("operation", "wait", operation["id"]) == sh.json("operation", "show", operation["id"])
    assert sh.call("operation", "undo", operation["id"]).returncode == 0
    assert sh.call("operation", "wait", operation["id"]).returncode == 3
    assert {each["stage"] for each in sh.json("operation", "show", operation["id"])["parts"]} == {"undone"}
    assert sh.json("list", "servers", "--filter", f"name={vm}") == []


def test_the_same_key_creates_nothing_twice(sh: Shell, vm: str) -> None:
    words = ("create", "server", "--location", "Alpha", "--set", f"name={vm}", "--idempotency-key", f"key-{vm}")
    first, second = sh.json(*words), sh.json(*words)
    assert first[0]["id"] == second[0]["id"]
    assert len(sh.json("list", "servers", "--filter", f"name={vm}")) == 1
    done = sh.call(*words, "--set", "key_name=other")
    assert done.returncode == 1
    assert "IDEMPOTENCY_KEY_REUSED" in done.stderr
    assert sh.json("operation", "show", f"key-{vm}")["id"] == first[0]["operation_id"]


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


def test_a_watch_ends_when_the_condition_holds(sh: Shell, vm: str) -> None:
    sh.clouds.tell("Alpha", build=3)
    try:
        sh.ok("create", "server", "--location", "Alpha", "--set", f"name={vm}")
        lines = sh.ok("watch", "server", vm, "--until", "status=ACTIVE", "-f", "jsonl").splitlines()
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
