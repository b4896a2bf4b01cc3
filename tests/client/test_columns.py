"""The Cloud column, and what is said of clouds that are missed: real commands against a server that answers as a gateway does."""

import json
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.client.test_plugin import openstack

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("environment")

SEVERAL: Final = ("--os-scope", '{"image": "CloudOne & CloudTwo"}')


@pytest.fixture
def several(cloud: Any) -> Any:
    # An image that was copied has the same id in both.
    cloud.listed = [
        ("CloudTwo", "id-1", "b"),
        ("CloudOne", "id-2", "a"),
        ("CloudOne", "id-3", "copy"),
        ("CloudTwo", "id-3", "copy"),
    ]
    return cloud


@pytest.mark.usefixtures("several")
def test_each_row_says_its_cloud(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("image", "list", "-f", "json", *SEVERAL) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["ID"], row["Cloud"]) for row in rows] == [
        ("id-2", "CloudOne"),  # the command itself sorts by name
        ("id-1", "CloudTwo"),
        ("id-3", "CloudOne"),
        ("id-3", "CloudTwo"),
    ]


@pytest.mark.usefixtures("several")
def test_the_column_is_one_as_any_other(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    sorted_ = ("--sort-column", "Cloud", "-f", "value", "-c", "Name", "-c", "Cloud")
    assert run("image", "list", *sorted_, *SEVERAL) == 0
    assert capsys.readouterr().out.splitlines() == ["a CloudOne", "copy CloudOne", "b CloudTwo", "copy CloudTwo"]


def test_without_operators_there_is_no_column(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("image", "list", "-f", "json", "--os-scope", "image=CloudTwo") == 0
    assert "Cloud" not in json.loads(capsys.readouterr().out)[0]


def test_clouds_that_are_missed_are_named_and_the_exit_code_says_it(several: Any) -> None:
    several.missing = "CloudThree;code=peer.timeout, ...;more=2"
    done = openstack("image", "list", "-f", "value", "-c", "Name", *SEVERAL)
    assert done.stdout.splitlines() == ["a", "b", "copy", "copy"]
    assert done.stderr.splitlines() == ["CloudThree is missing: peer.timeout", "2 more clouds are missing"]
    assert done.returncode == 3


@pytest.mark.parametrize("text", ["CloudOne", "CloudOne;9", "CloudOne;0", ";;"])
def test_a_header_that_does_not_fit_leaves_the_column_empty(
    run: "Callable[..., int]", several: Any, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    answer = several.answer

    def odd(*asked: Any) -> Any:
        status, body, headers = answer(*asked)
        return status, body, headers | ({"X-Scope-Items": text} if "X-Scope-Items" in headers else {})

    several.answer = odd
    assert run("image", "list", "-f", "value", "-c", "Cloud", *SEVERAL) == 0
    assert capsys.readouterr().out.split() == []


def test_every_list_command_of_the_stock_client_has_the_hook() -> None:
    groups = [
        f"openstack.{api}" for api in ("common", "compute.v2", "identity.v3", "image.v2", "network.v2", "volume.v3")
    ]
    found = entry_points()
    names = {
        command.name for group in groups for command in found.select(group=group) if command.name.endswith("_list")
    }
    assert names
    assert {f"openstack.cli.{name}" for name in names} - found.groups == set()
