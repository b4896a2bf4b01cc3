"""`openstackoid oaktree call group build` as users run it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests.oaktree.shell import called
from tests.oaktree.whole_cloud import World, two_clouds

GROUP = """
net: {kind: network, attributes: {name: mine}}
web:
  kind: servers
  count: 2
  attributes: {name: "web-${index}", image: cirros, flavor: small, network: "${net.id}"}
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with two_clouds(tmp_path_factory.mktemp("groups")) as made:
        yield made


@pytest.fixture
def world(both: World) -> World:
    for cloud in both.clouds.values():
        cloud.reset()
    return both


def build(world: World, file: str | Path, *words: str, typed: str = "") -> CompletedProcess[str]:
    environment = {**os.environ, "OAKTREE_TARGET": world.address}
    return called(["oaktree", "call", "group", "build", str(file), *words], environment, typed)


def test_a_group_of_a_file_is_created_everywhere_and_not_twice(world: World, tmp_path: Path) -> None:
    file = tmp_path / "group.yaml"
    file.write_text(GROUP)
    done = build(world, file, "--idempotency-key", "mine")
    assert done.returncode == 0, done.stderr
    head, _, *rows = done.stdout.splitlines()
    assert head.split() == ["location", "member", "stage", "id", "name", "operation"]
    assert sorted(" ".join(row.split()[1:3]) for row in rows) == 2 * ["net 1"] + 2 * ["web 1"] + 2 * ["web 2"]
    again = build(world, "-", "--idempotency-key", "mine", "-f", "json", typed=GROUP)
    assert again.returncode == 0, again.stderr
    documents = json.loads(again.stdout)
    assert {document["stage"] for document in documents} == {"done"}
    for cloud in world.clouds.values():
        [network] = [network for network in cloud.resources["networks"].values() if network["name"] == "mine"]
        servers = list(cloud.resources["servers"].values())
        assert sorted(server["name"] for server in servers) == ["web-1", "web-2"]
        ids = {document["id"] for document in documents}
        assert {network["id"], *(server["id"] for server in servers)} <= ids


def test_what_fails_is_said_and_undone(world: World) -> None:
    wrong = GROUP.replace("small", "not-there")
    done = build(world, "-", "--undo", "--location", "one", typed=wrong)
    assert done.returncode in (1, 3)
    assert "not-there" in done.stderr
    for cloud in world.clouds.values():
        assert "mine" not in [network["name"] for network in cloud.resources["networks"].values()]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "expected a mapping from the name of each member"),
        ("a: [", "expected YAML or JSON"),
        ("a: 1", "-: a: expected a mapping with kind: KIND"),
        ("a: {kind: network, colour: red}", "-: a: expected attributes, count, kind; got colour"),
        ("a: {kind: network, count: many}", "-: a: count: expected a whole number"),
        ("a: {kind: network, attributes: [1]}", "-: a: attributes: expected a mapping"),
        ("a: {kind: no-such}", "there is no kind 'no-such'"),
        ("a: {kind: network, attributes: {x: '${b.id}'}}", "no member is named 'b'"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_created(world: World, typed: str, message: str) -> None:
    done = build(world, "-", typed=typed)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not any(cloud.posted for cloud in world.clouds.values())
