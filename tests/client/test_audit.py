"""`openstack cloud audit list`."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("environment")


def test_pages_are_followed_until_there_are_enough(
    run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--since", "2h", "--peer", "CloudTwo", "--errors", "--limit", "4", "--long")
    assert run("cloud", "audit", "list", "-f", "json", *words) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["User"] for row in rows] == ["s", "a", "b", "c"]
    assert [row["At"] for row in rows[:2]] == [["CloudOne", "CloudTwo"], "CloudTwo"]
    assert rows[1] == {
        "Time": "2030-01-01T00:00:00.000Z",
        "Direction": "out",
        "User": "a",
        "Of": "CloudOne",
        "Project": "p",
        "At": "CloudTwo",
        "Request": "GET image /v2/images",
        "Status": 403,
        "Error": "agreement.rule",
        "Agreement": "g",
        "Client": "10.0.0.9",
        "Milliseconds": None,
        "Request ID": None,
        "Global Request ID": None,
    }
    asked = {"since": "2h", "peer": "CloudTwo", "errors": "true"}
    assert cloud.queries == [
        asked | {"limit": "4"},
        asked | {"limit": "2", "marker": "1"},
        asked | {"limit": "2", "marker": "2"},
        asked | {"limit": "1", "marker": "3"},
    ]
    # It is for operators: with a token.
    assert {found.token for found in cloud.asked if found.path.endswith("/audit")} == {"token-1-entry"}


def test_all_pages_in_short(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cloud", "audit", "list", "-f", "csv") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == '"Time","Direction","User","Of","Project","At","Request","Status","Error"'
    assert len(rows) == 6


def test_a_refusal(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cloud", "audit", "list", "--user", "nobody") == 1
    assert "does not allow this to you. (HTTP 403, operator.forbidden)" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run("cloud", "audit", "list", "--limit", "0")
    assert "expected a number from 1 on" in capsys.readouterr().err


def test_no_gateway_there(run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.gateway = False
    assert run("cloud", "audit", "list") == 1
    assert "expected a page of audit, got HTTP 404" in capsys.readouterr().err
