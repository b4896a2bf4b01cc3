"""Which clouds a server has: those of one file, with what stands beside it; and what an entry's region is worth."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import pytest
import yaml
from tests import commands
from tests.oaktree.keystone import entry
from tests.oaktree.nova import Nova
from tests.oaktree.shell import PROGRAM
from tests.oaktree.world import Process
from tests.ports import free_port

from oaktree.client import Oaktree as Client
from oaktree.v1 import cloud_pb2, compute_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses

LONG = 60.0


@pytest.fixture
def cloud() -> Iterator[Nova]:
    with contextlib.closing(Nova()) as made:
        made.boot("web.1", status="ACTIVE")
        yield made


@contextlib.contextmanager
def serving(folder: Path, *words: str, **environment: str) -> Iterator[Client]:
    """`openstackoid oaktree serve`, as it is started from a shell."""
    at = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    state = {"XDG_STATE_HOME": str(folder)}
    if not words and "OS_CLIENT_CONFIG_FILE" not in environment:
        state["HOME"] = str(folder)  # where it looks for a file
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(kept | state | environment)
    try:
        server = Process(at, folder / f"{at}.log", *PROGRAM, "serve", "--listen", f"127.0.0.1:{at}", *words)
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{at}") as channel:
            yield Client(channel)
    finally:
        server.stop(signal.SIGTERM)


def written(path: Path, **clouds: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"clouds": clouds}))
    return path


def names(client: Client) -> list[str]:
    return [
        each.location.cloud for each in client.clouds.ListClouds(cloud_pb2.ListCloudsRequest(), timeout=LONG).clouds
    ]


def listed(client: Client) -> dict[str, str]:
    answers = list(client.compute.ListServers(compute_pb2.ListServersRequest(), timeout=LONG))
    return {each.location.cloud: statuses.reason(each.error) for each in answers[-1].summary.results}


OPENRC = {
    "OS_AUTH_URL": "http://127.0.0.1:9/v3",
    "OS_USERNAME": "demo",
    "OS_PASSWORD": "secret-of-demo",
    "OS_PROJECT_NAME": "demo",
    "OS_REGION_NAME": "RegionOne",
}


def test_secrets_stand_beside_the_file(tmp_path: Path, cloud: Nova) -> None:
    whole = entry(cloud.url)
    password = whole["auth"].pop("password")
    file = written(tmp_path / "etc/clouds.yaml", one=whole, odd=None)
    # One of these cannot be put over its entry: that is no reason to read none.
    written(tmp_path / "etc/secure.yaml", one={"auth": {"password": password}}, odd={"auth": {"password": "x"}})
    with serving(tmp_path, "--clouds", str(file)) as client:
        assert listed(client) == {"one": "", "odd": "CLOUD_CONFIG_INVALID"}


def test_the_shells_openrc_is_no_cloud_beside_a_file(tmp_path: Path, cloud: Nova) -> None:
    file = written(tmp_path / "clouds.yaml", one=entry(cloud.url))
    other = written(tmp_path / "other.yaml", two=entry(cloud.url))
    # Nor does it name another file than the one that was given.
    with serving(tmp_path, "--clouds", str(file), **OPENRC, OS_CLIENT_CONFIG_FILE=str(other)) as client:
        assert names(client) == ["one"]
    with serving(tmp_path, **OPENRC, OS_CLIENT_CONFIG_FILE=str(other)) as client:
        assert names(client) == ["two"]


def test_without_a_file_it_is_the_one_cloud(tmp_path: Path) -> None:
    with serving(tmp_path, **OPENRC) as client:
        assert names(client) == ["envvars"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clouds:\n  one: {auth: [}\n", "expected YAML"),
        ("clouds: [one, two]\n", "expected a mapping"),
        ("clouds:\n", "expected a mapping"),
        ("- clouds\n", "expected a mapping"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text(text)
    command = [*PROGRAM, "serve", "--listen", f"127.0.0.1:{free_port()}", "--clouds", str(file)]
    done = commands.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode not in (0, -9)
    assert str(file) in done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_region_that_its_cloud_has_not_is_an_error_for_the_shell_too(tmp_path: Path, cloud: Nova) -> None:
    typo = {**entry(cloud.url), "region_name": "RegionOnee"}
    file = written(tmp_path / "clouds.yaml", one=entry(cloud.url), typo=typo)
    at = free_port()
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    with mock.patch.dict(os.environ, environment):
        server = Process(at, tmp_path / "log", *PROGRAM, "serve", "--listen", f"127.0.0.1:{at}", "--clouds", str(file))
    try:
        command = [*PROGRAM, "call", "list", "servers", "--target", f"127.0.0.1:{at}", "--plaintext"]
        done = commands.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 3
        assert "the cloud has no region 'RegionOnee'; it has RegionOne" in done.stderr
        assert "CLOUD_CONFIG_INVALID" in done.stderr
        # A name is asked for by a filter, whatever it holds that nova might read as a pattern.
        with grpc.insecure_channel(f"127.0.0.1:{at}") as channel:
            client = Client(channel)
            place = Location(cloud="one")
            wanted = compute_pb2.GetServerRequest(id="web.1", location=place)
            assert client.compute.GetServer(wanted, timeout=LONG).server.name == "web.1"
        [asked] = [each for each in cloud.asked if "name=" in each]
        assert "name=web.%2B1" in asked
    finally:
        server.stop()
