"""Commands that show, change or delete name the clouds that they are without, by real commands against a server that answers as a gateway does."""

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

import pytest

from openstackoid.core.replication.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("environment")

IMAGES: Final = ("--os-scope", '{"image": "CloudOne & CloudTwo & CloudThree"}')
NETWORKS: Final = ("--os-scope", '{"network": "CloudOne & CloudTwo & CloudThree"}')
LISTED: Final = "CloudThree is missing: peer.timeout"
PENDING: Final = ["CloudTwo is without this change: replica.pending", "CloudThree is without this change: peer.timeout"]
GROUPS: Final = [
    f"openstack.{api}" for api in ("common", "compute.v2", "identity.v3", "image.v2", "network.v2", "volume.v3")
]


@pytest.fixture
def partial(cloud: Any) -> Any:
    """Reads are without one cloud, changes without two."""
    cloud.listed = [("CloudOne", "id-1", "a")]
    image = {"id": "id-1", "name": "a", "status": "active", "tags": []}
    answer = cloud.answer

    def answered(method: str, path: str, query: str, scope: str | None) -> Any:
        reads = {"X-Scope-Missing": "CloudThree;code=peer.timeout"}
        changes = {"X-Scope-Missing": "CloudTwo;code=replica.pending, CloudThree;code=peer.timeout"}
        if path == "/image/several/v2/images/id-1":
            if method == "DELETE":
                return 204, None, changes
            return 200, image, reads if method == "GET" else changes
        if (method, path) == ("POST", "/network/v2.0/networks"):
            return 201, {"network": {"id": "n", "name": "lab"}}, changes
        return answer(method, path, query, scope)

    cloud.answer = answered
    return cloud


@pytest.mark.usefixtures("partial")
def test_what_is_shown_may_be_without_a_cloud(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("image", "show", "id-1", "-f", "value", "-c", "name", *IMAGES)
    out = capsys.readouterr()
    assert (ended.value.code, out.out.splitlines(), LISTED in out.err.splitlines()) == (3, ["a"], True)


@pytest.mark.parametrize("words", [("delete", "id-1"), ("set", "id-1", "--name", "b")])
@pytest.mark.usefixtures("partial")
def test_a_change_that_has_not_reached_all_clouds_says_so(
    run: "Callable[..., int]", capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert run("image", *words, *IMAGES) == 3
    lines = capsys.readouterr().err.splitlines()
    # What was looked up before is not said of the change.
    assert [line for line in lines if line.startswith("Cloud")] == PENDING


@pytest.mark.usefixtures("partial")
def test_so_does_a_create(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("network", "create", "lab", "-f", "value", "-c", "name", *NETWORKS)
    out = capsys.readouterr()
    assert (ended.value.code, out.out.splitlines()) == (3, ["lab"])
    assert [line for line in out.err.splitlines() if line.startswith("Cloud")] == PENDING


@pytest.mark.usefixtures("partial")
def test_without_operators_nothing_is_said(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("image", "show", "id-CloudTwo", "--os-scope", "image=CloudTwo") in {0, 1}
    assert "missing" not in capsys.readouterr().err


def test_commands_that_show_or_change_have_the_hook() -> None:
    found = entry_points()
    names = {command.name for group in GROUPS for command in found.select(group=group)}
    kinds = [kind.name.partition(".")[2].replace("-", "_") for kind in KINDS]
    changing = {f"{kind}_{verb}" for kind in kinds for verb in ("create", "set", "unset", "delete")}
    expected = {name for name in names if name.endswith("_show")} | changing & names
    assert {"server_create", "image_delete", "network_set", "volume_unset"} <= expected
    assert {f"openstack.cli.{name}" for name in expected} - found.groups == set()


def test_creates_alone_ask_for_things_of_the_same_name(
    run: "Callable[..., int]", partial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    monkeypatch.setattr(partial, "saw", lambda headers: seen.append(headers.get("X-Scope-Match")))
    with pytest.raises(SystemExit):
        run("network", "create", "lab", *NETWORKS)
    assert "name" in seen
    seen.clear()
    with pytest.raises(SystemExit):
        run("network", "create", "lab", *NETWORKS, "--os-scope-match", "id")
    assert run("image", "delete", "id-1", *IMAGES, "--os-scope-match", "name") == 3
    assert set(seen) == {None}, "a change by name would reach one cloud's thing alone"


def test_the_client_says_what_happens_if_a_cloud_fails(
    run: "Callable[..., int]", partial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    monkeypatch.setattr(partial, "saw", lambda headers: seen.append(headers.get("X-Scope-On-Failure")))
    with pytest.raises(SystemExit):
        run("network", "create", "lab", *NETWORKS, "--os-scope-on-failure", "converge")
    assert "converge" in seen
    seen.clear()
    monkeypatch.setenv("OS_SCOPE_ON_FAILURE", "keep")
    with pytest.raises(SystemExit):
        run("network", "create", "lab", *NETWORKS)
    assert "keep" in seen
    assert run("network", "create", "lab", *NETWORKS, "--os-scope-on-failure", "hope") == 1
