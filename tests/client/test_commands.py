"""`openstack scope explain` and `openstack cloud peer list`."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("environment")


def test_explain_each_service_of_the_cloud_and_the_scope(
    run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("scope", "explain", "-f", "json", "--os-scope", "image=CloudTwo,dns=CloudTwo,*=CloudOne") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["Service"], row["Cloud"], row["Decision"]) for row in rows] == [
        ("compute", "CloudOne", "remote"),
        ("dns", "CloudTwo", "remote"),
        ("identity", "CloudOne", "remote"),
        ("image", "CloudTwo", "remote"),
        ("network", "CloudOne", "remote"),
    ]
    assert rows[1]["Why"] == ["the scope names CloudTwo"]
    assert cloud.scopes() == {'{"*":"CloudOne","dns":"CloudTwo","image":"CloudTwo"}'}
    assert {asked.token for asked in cloud.asked} == {None}


def test_explain_one_request(run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scope", "explain", "volumev3", "--method", "post", "--path", "/v3/volumes?a=b&c", "-f", "value") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("block-storage CloudOne local")
    assert cloud.paths() == {"/openstackoid/v1/explain"}
    assert cloud.queries == [{"service": "block-storage", "method": "POST", "path": "/v3/volumes?a=b&c"}]


def test_explain_with_a_saved_scope(run: "Callable[..., int]", cloud: Any) -> None:
    """The scope that auth_url names; it was forgotten, and everything explained as local."""
    saved = ("--os-auth-url", f"{cloud.url}/scope/saved/identity/v3")
    assert run("scope", "explain", "image", *saved) == 0
    assert cloud.paths() == {"/scope/saved/openstackoid/v1/explain"}
    assert run("cloud", "peer", "list", *saved) == 0
    assert cloud.paths() == {"/scope/saved/openstackoid/v1/explain", "/openstackoid/v1/peers"}


def test_explain_tells_reasons_line_by_line(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scope", "explain", "image") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("the scope does not name it " in line for line in lines)
    assert any("so the entry cloud serves it " in line for line in lines)


def test_a_refusal_of_the_gateway(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scope", "explain", "image", "--os-scope", "image=Nowhere") == 1
    assert "Unknown cloud Nowhere: known are CloudOne, CloudTwo (HTTP 400, cloud.unknown)" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["image", "im age"], ["image", "--os-scope", "image=A B"]])
def test_what_cannot_be_asked_is_not_asked(
    run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run("scope", "explain", *arguments) == 1
    assert "xpected" in capsys.readouterr().err
    assert cloud.asked == []


def test_saved_scopes(run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scope", "list", "-f", "json") == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row == {"Name": "everywhere", "Scope": {"image": "*"}, "Auth URL": f"{cloud.url}/scope/everywhere/v3"}
    assert {asked.token for asked in cloud.asked} == {None}


def test_peers(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cloud", "peer", "list", "-f", "json", "--long") == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "Name": "CloudTwo",
            "URL": "http://two",
            "Services": ["image", "network"],
            "Labels": ["edge"],
            "State": "up",
            "Token": "pass-through",
            "Round Trip (ms)": None,
            "Error": "",
        },
        {
            "Name": "CloudThree",
            "URL": "http://two",
            "Services": [],
            "Labels": [],
            "State": "down",
            "Token": "pass-through",
            "Round Trip (ms)": None,
            "Error": "connection refused",
        },
    ]


def test_peers_in_short(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cloud", "peer", "list", "-f", "value") == 0
    assert capsys.readouterr().out.splitlines()[0] == "CloudTwo http://two ['image', 'network'] ['edge'] up"


@pytest.mark.parametrize("command", [["cloud", "peer", "list"], ["scope", "explain"], ["scope", "explain", "image"]])
def test_no_gateway_there(
    run: "Callable[..., int]", bare: Any, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run(*command, "--os-auth-url", f"{bare.url}/identity/v3") == 1
    told = capsys.readouterr().err
    assert f"No OpenStackoid gateway at {bare.url}: expected a gateway's JSON answer to GET {bare.url}/" in told
    assert "got HTTP 404" in told
    assert "Set auth_url" in told


def test_nobody_there(run: "Callable[..., int]", capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cloud", "peer", "list", "--os-auth-url", "http://127.0.0.1:1/identity") == 1
    assert "No answer to GET http://127.0.0.1:1/openstackoid/v1/peers" in capsys.readouterr().err


def test_no_auth_url(
    run: "Callable[..., int]", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OS_AUTH_URL")
    assert run("cloud", "peer", "list") == 1
    assert "set OS_CLOUD, OS_AUTH_URL or --os-auth-url" in capsys.readouterr().err


def test_replicas(run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def rows(*words: str) -> Any:
        assert run("replica", *words, "-f", "json") == 0
        return json.loads(capsys.readouterr().out)

    members = ["CloudOne: a", "CloudTwo: b"]
    replica = {"ID": "r", "Kind": "network.network", "Members": members, "Created At": "2030-01-01T00:00:00Z"}
    assert rows("list") == [replica]
    assert rows("list", "--operations")[0]["Clouds"] == ["CloudTwo: accepted (peer.timeout)"]
    assert rows("show", "r")["members"] == members
    assert [row["State"] for row in rows("check", "r")] == ["there", "missing"]
    assert {asked.token is None for asked in cloud.asked if asked.path == "/openstackoid/v1/replicas"} == {False}
    assert run("replica", "show", "unknown") == 1
    assert "Your project has no such replica. (HTTP 404)" in capsys.readouterr().err


def test_an_image_is_copied_by_the_gateway(
    run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("image", "copy", "cirros", "--to", "CloudTwo,CloudThree", "--from", "CloudOne", "-f", "json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == [
        {"Cloud": "CloudThree", "ID": "", "Result": "failed", "Error": "status.403"},
        {"Cloud": "CloudTwo", "ID": "i", "Result": "copied", "Error": ""},
    ]
    assert "kernel_id is not copied: it names another image of that cloud" in err
    assert "cirros to CloudTwo: 50% of 1.0 MiB" in err
    assert "CloudThree: no" in err
    copies = [(asked.method, bool(asked.token)) for asked in cloud.asked if asked.path == "/openstackoid/v1/copies"]
    assert copies == [("POST", True), ("GET", True)]


def test_replicas_are_repaired_and_adopted(
    run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    differs = {"Replica": "r", "Cloud": "CloudTwo", "ID": "b", "State": "differs", "Fields": ["cidr"]}
    for words in (("r",), ("--all",)):
        assert run("replica", "repair", *words, "-f", "json") == 1
        assert json.loads(capsys.readouterr().out)[1] == differs
    assert run("replica", "repair", "r", "--from", "CloudTwo") == 1
    assert cloud.queries[-1] == {"id": "r", "from": "CloudTwo"}
    capsys.readouterr()
    assert run("replica", "adopt", "network", "CloudOne=a", "CloudTwo=b", "-f", "json") == 0
    assert json.loads(capsys.readouterr().out)["members"] == ["CloudOne: a", "CloudTwo: b"]
    posts = [asked for asked in cloud.asked if (asked.method, asked.path) == ("POST", "/openstackoid/v1/replicas")]
    assert len(posts) == 4
