"""What a lab remembers, and what it refuses, without starting one."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from tests import commands

from openstackoid.lab import Lab, LabError, environment, haproxy, state
from openstackoid.lab.processes import Process, answers, check_free, read, spawn, stop

DEFAULTS = state.State(("CloudOne", "CloudTwo"), "127.0.1.0", with_gateway=True)


def test_a_new_lab_has_the_defaults() -> None:
    assert state.merge(None, [], None, defaults=DEFAULTS) == DEFAULTS
    assert DEFAULTS.federated
    assert DEFAULTS.projects == "each"


def test_an_old_lab_keeps_its_clouds_and_their_order() -> None:
    found = state.State(("B", "A"), "127.0.5.0", with_gateway=False)
    assert state.merge(found, [], None, with_gateway=None, defaults=DEFAULTS) == found
    assert state.merge(found, ["A", "C"], None, defaults=DEFAULTS).clouds == ("B", "A", "C")


def test_a_lab_does_not_move() -> None:
    with pytest.raises(LabError, match=r"at 127\.0\.1\.0, not at 127\.0\.9\.0"):
        state.merge(DEFAULTS, [], "127.0.9.0", defaults=DEFAULTS)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"with_gateway": False}, "has gateways"),
        ({"with_haproxy": False}, "has HAProxy before its gateways"),
        ({"trust": "pass-through"}, "has clouds of different owners"),
        ({"projects": "same"}, "has a project for each project of another cloud"),
        ({"pseudonyms": True}, "gives its users no pseudonyms"),
        ({"aggregator": True}, "has no aggregator"),
    ],
)
def test_the_clouds_of_a_lab_always_meet_in_the_same_way(wanted: dict[str, object], said: str) -> None:
    with pytest.raises(LabError, match=f"this lab {said}: .* reset"):
        state.merge(DEFAULTS, [], None, defaults=DEFAULTS, **wanted)
    other = state.merge(None, [], None, defaults=DEFAULTS, **wanted)
    assert state.merge(other, [], None, defaults=DEFAULTS, **wanted) == other
    assert state.merge(other, [], None, defaults=DEFAULTS) == other
    with pytest.raises(LabError, match="reset"):
        state.merge(other, [], None, defaults=DEFAULTS, **{name: getattr(DEFAULTS, name) for name in wanted})


@pytest.mark.parametrize(
    "wanted", [{"projects": "same"}, {"pseudonyms": True}, {"trust": "pass-through"}, {"with_gateway": False}]
)
def test_an_aggregator_agrees_by_contracts_alone(wanted: dict[str, object]) -> None:
    with pytest.raises(LabError, match="contracts"):
        state.merge(None, [], None, defaults=DEFAULTS, aggregator=True, **wanted)
    names = state.merge(None, [], None, defaults=DEFAULTS, aggregator=True).clouds
    assert names == ("Aggregator", "ProviderOne", "ProviderTwo")


def test_one_other_aggregator_buys_from_the_first_now_or_later(tmp_path: Path) -> None:
    alone = state.merge(None, ["A", "P"], None, defaults=DEFAULTS, aggregator=True)
    made = state.merge(None, ["A", "P"], None, defaults=DEFAULTS, aggregator=True, buyer="B")
    assert (made.clouds, made.buyer) == (("A", "P", "B"), "B")
    assert state.merge(alone, [], None, defaults=DEFAULTS, buyer="B") == made
    assert state.merge(made, ["Q"], None, defaults=DEFAULTS, buyer="B").clouds == ("A", "P", "B", "Q")
    state.save(tmp_path, made)
    assert state.load(tmp_path) == made
    for before, buyer in ((made, "C"), (alone, "P")):
        with pytest.raises(LabError, match="another cloud of this lab already"):
            state.merge(before, [], None, defaults=DEFAULTS, buyer=buyer)
    with pytest.raises(LabError, match="has no aggregator"):
        state.merge(None, [], None, defaults=DEFAULTS, buyer="B")


@pytest.mark.parametrize("alone", [{"trust": "pass-through"}, {"with_gateway": False}])
@pytest.mark.parametrize("wanted", [{"projects": "same"}, {"pseudonyms": True}])
def test_clouds_of_one_owner_have_nothing_to_agree_on(alone: dict[str, object], wanted: dict[str, object]) -> None:
    with pytest.raises(LabError, match="of clouds of different owners"):
        state.merge(None, [], None, defaults=DEFAULTS, **alone, **wanted)


def test_haproxy_stands_before_gateways_only() -> None:
    assert DEFAULTS.with_haproxy
    assert not state.merge(None, [], None, defaults=DEFAULTS, with_gateway=False).with_haproxy
    with pytest.raises(LabError, match="before gateways"):
        state.merge(None, [], None, defaults=DEFAULTS, with_gateway=False, with_haproxy=True)


def test_it_is_remembered(tmp_path: Path) -> None:
    made = state.State(("A",), "127.0.1.0", with_gateway=True, with_haproxy=False, projects="same", pseudonyms=True)
    state.save(tmp_path, made)
    assert state.load(tmp_path) == made
    assert Lab(tmp_path).state == made


def test_labs_of_before_passed_tokens_through_and_had_gateways_only(tmp_path: Path) -> None:
    (tmp_path / state.FILE).write_text('{"clouds": ["A", "B"], "address": "127.0.1.0", "with_gateway": true}')
    lab = Lab(tmp_path)
    assert lab.state.trust == "pass-through"
    assert not any(cloud.federated for cloud in lab.clouds.values())
    with pytest.raises(LabError, match="passes tokens through"):
        Lab(tmp_path, trust="federated")
    assert "haproxy" not in lab.clouds["A"].parts
    with pytest.raises(LabError, match="has no HAProxy"):
        Lab(tmp_path, with_haproxy=True)


def test_a_lab_that_lacks_haproxy_says_so_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "ELSEWHERE", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="apt-get install haproxy, or --gateway-only"):
        Lab(tmp_path / "lab").up()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    lab = Lab(tmp_path / ("deep" * 20), ["One"])
    folder = lab.clouds["One"].haproxy
    assert lab.directory not in folder.parents
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(LabError, match="of yours alone"):
            haproxy.make_folder(lab.clouds["One"])
    finally:
        folder.unlink()
    haproxy.make_folder(lab.clouds["One"])
    assert folder.stat().st_mode & 0o777 == 0o700
    lab.directory.mkdir()
    lab.write_clients()
    lab.reset()
    assert not folder.exists()


def test_what_haproxy_cannot_be_configured_with_is_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab", ["One"])
    lab.directory.mkdir()
    lab.write_clients()
    lab.clouds["One"].gateway_config.write_text("cloud: One")
    with pytest.raises(LabError, match=r"One's haproxy cannot be configured(.|\n)*services"):
        haproxy.configure("render", [lab.clouds["One"]])


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"clouds": ["A"], "address": "127.0.1.0", "with_gateway": true, "trust": "blind"}'],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / state.FILE).write_text(text)
    with pytest.raises(LabError, match=r"lab\.json is damaged"):
        Lab(tmp_path)


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    first, other = state.secrets_of(tmp_path / "One"), state.secrets_of(tmp_path / "Two")
    assert state.secrets_of(tmp_path / "One") == first
    passwords = [first.admin, first.member, *first.services.values(), other.admin, other.member]
    assert len(set(passwords)) == len(passwords)
    assert (tmp_path / "One" / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_looking_at_a_lab_makes_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab")
    assert {row.state for row in lab.status()} == {"down"}
    assert lab.down() == 0
    lab.reset()
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_named_with_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.71.1", 9292)):
        lab = Lab(tmp_path / "lab", ["One"], "127.0.71.0", cache=tmp_path / "never-made")
        with pytest.raises(LabError) as refused:
            lab.up()
    said = str(refused.value)
    assert "127.0.71.1:9292 is in use" in said
    assert f"process {os.getpid()}" in said
    assert "One's image" in said
    assert "--address" in said
    assert not (tmp_path / "never-made").exists()


def test_a_server_on_all_addresses_is_in_the_way_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LabError, match=f"by process {os.getpid()}"):
            check_free("127.0.71.1", port, "somebody")


def test_processes_are_known_by_their_start_too(tmp_path: Path) -> None:
    process = spawn([sys.executable, "-c", "input()"], tmp_path / "log", os.environ, tmp_path / "pid")
    ended = spawn([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", os.environ)
    try:
        assert read(tmp_path / "pid") == process
        assert not Process(ended.pid, ended.started + 1).alive
        assert ended.memory > 0
    finally:
        stop([ended, process], 5)
    assert not ended.alive
    stop([ended], 5)


def test_a_group_is_found_when_its_leader_is_gone(tmp_path: Path) -> None:
    child = "import os, time; os.fork() or time.sleep(60); time.sleep(60)"
    process = spawn([sys.executable, "-c", child], tmp_path / "log", os.environ)
    try:
        while len(process.group()) < 2:
            time.sleep(0.01)
        assert process in process.group()
        process.signal(signal.SIGKILL)
        stop([process], 5)
        (left,) = process.group()
        assert left.pid != process.pid
        assert Process(os.getpid(), 1).group() == []
    finally:
        stop(process.group(), 5)
    assert process.group() == []


def test_what_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="/no/such/program"):
        spawn(["/no/such/program"], tmp_path / "log", os.environ)


def test_a_silent_server_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not answers(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.05)


def test_another_list_of_packages_is_another_environment() -> None:
    versions = environment.constraints()
    assert environment.key(versions) == environment.key(versions) != environment.key(versions + "more==1\n")
    assert all("==" in line for line in versions.splitlines())


def test_uv_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"uv venv .* failed"):
        environment.uv("venv", "--python", str(tmp_path / "none"), str(tmp_path / "made"))


@pytest.mark.parametrize("command", ["status", "env CloudOne", "logs", "down", "reset"])
def test_commands_without_a_lab_say_how_to_make_one(tmp_path: Path, command: str) -> None:
    words = [sys.executable, "-m", "openstackoid", "lab", *command.split(), "--dir", str(tmp_path)]
    done = commands.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "'openstackoid lab up' makes one" in done.stderr
    assert "Traceback" not in done.stderr
