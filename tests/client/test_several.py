"""The helper for several clouds on openstacksdk, and the options of the stock client for them, at the wire."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openstack
import pytest
from tests import commands
from tests.client.test_plugin import openstack as command

from openstackoid.client import settings, several
from openstackoid.core.errors import ScopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openstack.connection import Connection

pytestmark = [
    pytest.mark.usefixtures("environment"),
    # openstacksdk warns of parts of itself that are leaving.
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning"),
]
EXAMPLE = Path(__file__).parents[2] / "examples" / "list_several.py"
BOTH = {"image": "CloudOne & CloudTwo"}


@pytest.fixture
def connection(login: dict[str, str]) -> "Iterator[Connection]":
    with openstack.connection.Connection(auth=login, region_name="R") as made:
        yield made


@pytest.fixture
def wished(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, str | None, str | None]]:
    """X-Scope, X-Scope-Require and X-Scope-Timeout of each request."""
    seen: list[tuple[str | None, str | None, str | None]] = []
    names = ("X-Scope", "X-Scope-Require", "X-Scope-Timeout")
    monkeypatch.setattr(cloud, "saw", lambda headers: seen.append(tuple(headers.get(name) for name in names)))
    return seen


def test_a_program_sees_what_is_where_and_what_is_missing(cloud: Any, connection: "Connection", wished: Any) -> None:
    cloud.listed = [
        ("CloudTwo", "id-1", "b"),
        ("CloudOne", "id-2", "a"),
        ("CloudOne", "id-3", "c"),
        ("CloudTwo", "id-3", "c"),
    ]
    cloud.missing = "CloudThree;code=peer.timeout"
    with several(connection, BOTH, require=2, timeout=2.5) as clouds:
        assert clouds.missing == {}
        images = list(clouds.connection.image.images())
        assert [(image.name, clouds.of(image)) for image in images] == [
            ("b", ("CloudTwo",)),
            ("a", ("CloudOne",)),
            ("c", ("CloudOne", "CloudTwo")),
            ("c", ("CloudOne", "CloudTwo")),
        ]
        assert clouds.of("id-1") == ("CloudTwo",)
        assert clouds.of("nobody's") == ()
        assert clouds.missing == {"CloudThree": "peer.timeout"}
        in_block = [seen for seen in wished if seen[0]]
        assert {seen[1:] for seen in in_block} == {("2", "2.5")}
        # The given Connection stays as it is, and what it gets is not read.
        before = dict(clouds.missing)
        assert [image.name for image in connection.image.images()] == ["of-entry"]
        assert wished[-1] == (None, None, None)
        assert clouds.missing == before
        assert clouds.of("id-entry") == ()
    assert cloud.logins == 1


@pytest.mark.parametrize(("require", "timeout"), [("some", None), (0, None), ("all", 0), (None, -1), (None, "soon")])
def test_malformed_requirements_are_refused_before_any_request(
    cloud: Any, connection: "Connection", require: Any, timeout: Any
) -> None:
    with pytest.raises(ScopeError, match="expected"), several(connection, BOTH, require=require, timeout=timeout):
        pass
    assert cloud.asked == []


def test_the_stock_client_has_options_for_them(run: Any, wished: Any, cloud: Any) -> None:
    cloud.listed = [("CloudOne", "id", "a")]
    scope = ("--os-scope", "image=CloudOne & CloudTwo")
    assert run("image", "list", *scope, "--os-scope-require", "all", "--os-scope-timeout", "3") == 0
    assert {seen[1:] for seen in wished if seen[0]} == {("all", "3")}
    wished.clear()
    assert run("image", "list", *scope) == 0
    assert {seen[1:] for seen in wished if seen[0]} == {(None, None)}


def test_variables_say_the_same_and_are_no_services(
    run: Any, wished: Any, cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.listed = [("CloudOne", "id", "a")]
    monkeypatch.setenv("OS_SCOPE_IMAGE", "CloudOne & CloudTwo")
    monkeypatch.setenv("OS_SCOPE_REQUIRE", "1")
    monkeypatch.setenv("OS_SCOPE_DEADLINE", "0.5")
    assert run("image", "list") == 0
    assert {seen for seen in wished if seen[0]} == {('{"image":"CloudOne & CloudTwo"}', "1", "0.5")}
    assert settings.wishes({"scope_require": None, "scope_deadline": ""}) == {}


def test_a_malformed_option_is_refused(cloud: Any) -> None:
    done = command("image", "list", "--os-scope", "image=A & B", "--os-scope-timeout", "soon")
    assert done.returncode == 1
    assert "expected seconds, such as 5 or 2.5 at scope_deadline" in done.stderr
    assert cloud.asked == []


def test_the_example_lists_and_names_what_is_missing(cloud: Any, login: dict[str, str], tmp_path: Path) -> None:
    cloud.listed = [("CloudOne", "id", "cirros")]
    cloud.missing = "CloudThree;code=peer.rate"
    file = tmp_path / "clouds.yaml"
    file.write_text(json.dumps({"clouds": {"one": {"auth": login, "region_name": "R"}}}))
    done = commands.run(
        [sys.executable, str(EXAMPLE), "CloudOne & CloudTwo", "5"],
        env=os.environ | {"OS_CLIENT_CONFIG_FILE": str(file), "OS_CLOUD": "one"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "image cirros in CloudOne" in done.stdout.splitlines()
    assert "CloudThree is missing: peer.rate" in done.stderr
