"""`--os-scope` and its relatives, in the real `openstack` client against a server that sees every header.

Most run the client's own `main` within the test's process; the console script itself is run
where it matters that nothing but the entry points leads to us.
"""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("environment")

SCOPE = '{"image":"CloudTwo"}'


def openstack(*arguments: str) -> "subprocess.CompletedProcess[str]":
    script = Path(sys.executable).parent / "openstack"
    return subprocess.run([script, *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def clouds_yaml(login: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Callable[..., None]":
    def write(**keys: Any) -> None:
        for name in login:
            monkeypatch.delenv(f"OS_{name.upper()}")
        file = tmp_path / "clouds.yaml"
        file.write_text(yaml.safe_dump({"clouds": {"one": {"auth": login, **keys}}}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
        monkeypatch.setenv("OS_CLOUD", "one")

    return write


def test_the_scope_is_on_every_request(cloud: Any) -> None:
    done = openstack("image", "list", "-f", "value", "-c", "Name", "--os-scope", '{"image": "CloudTwo"}')
    assert (done.returncode, done.stdout, done.stderr) == (0, "of-CloudTwo\n", "")
    assert cloud.scopes() == {SCOPE}
    # Whether a gateway is there, discovery of the identity versions, the login, discovery of the image versions, the list.
    assert [asked.path for asked in cloud.asked] == [
        "/.well-known/openstackoid",
        "/identity",
        "/identity/v3/auth/tokens",
        "/image",
        "/image/CloudTwo/v2/images",
    ]


def test_without_a_scope_there_is_no_header(
    run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("image", "list", "-f", "value", "-c", "Name") == 0
    assert capsys.readouterr().out == "of-entry\n"
    assert cloud.scopes() == {None}


def test_a_malformed_scope_is_told_before_anything_is_sent(
    run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("image", "list", "--os-scope", '{"image": "Cloud Two"}') == 1
    said = 'Malformed scope: expected & or | between clouds, in --os-scope, at character 17: {"image": "Cloud  >>>Two"}'
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", said)
    assert cloud.asked == []


def test_two_options_that_contradict_each_other_are_refused_before_anything_is_sent(
    run: "Callable[..., int]", cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("image", "list", "--os-scope", "image=CloudTwo", "--os-scope", "glare=A,image=CloudOne") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "--os-scope is given several times, and names CloudTwo and CloudOne for image" in err
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("command", "path"),
    [
        pytest.param(["network", "list"], "/network/v2.0/networks", id="a service of openstacksdk"),
        # identity, of python-keystoneclient, on the client's keystoneauth session
        pytest.param(["project", "show", "p"], "/identity/v3/projects/p", id="a service of a client library"),
        pytest.param(["token", "issue"], "/identity/v3/auth/tokens", id="the login"),
    ],
)
def test_all_parts_of_the_client(run: "Callable[..., int]", cloud: Any, command: list[str], path: str) -> None:
    run(*command, "--os-scope", "image=CloudTwo")
    assert path in cloud.paths()
    assert cloud.scopes() == {SCOPE}


@pytest.mark.parametrize(
    ("arguments", "variables", "sent"),
    [
        pytest.param(["--os-scope", "image=A,compute=B"], {}, '{"compute":"B","image":"A"}', id="short form"),
        pytest.param(["--os-scope=*=@edge,identity=A"], {}, '{"*":"@edge","identity":"A"}', id="the rest"),
        pytest.param([], {"OS_SCOPE": '{"image": "A"}'}, '{"image":"A"}', id="variable with JSON"),
        pytest.param([], {"OS_SCOPE": "volume=A"}, '{"block-storage":"A"}', id="variable with the short form"),
        pytest.param([], {"OS_SCOPE_BLOCK_STORAGE": "A"}, '{"block-storage":"A"}', id="variable of a service"),
        pytest.param(
            [], {"OS_SCOPE_ALL": "A & B", "OS_SCOPE_IMAGE": "C"}, '{"*":"A & B","image":"C"}', id="variable of the rest"
        ),
        pytest.param(
            [],
            {"OS_SCOPE": "image=A,network=B", "OS_SCOPE_IMAGE": "C"},
            '{"image":"C","network":"B"}',
            id="a service over all",
        ),
        pytest.param([], {"OS_SCOPE": "", "OS_SCOPE_IMAGE": ""}, None, id="empty variables"),
        pytest.param(
            ["--os-scope", "image=A"],
            {"OS_SCOPE": "network=B", "OS_SCOPE_IMAGE": "C"},
            '{"image":"A"}',
            id="option over variables",
        ),
        pytest.param(["--os-scope", "{}"], {"OS_SCOPE": "network=B"}, None, id="option for no scope"),
        pytest.param(
            ["--os-scope", "image=A", "--os-scope", '{"compute": "B", "image": "A"}'],
            {"OS_SCOPE": "network=C"},
            '{"compute":"B","image":"A"}',
            id="option twice",
        ),
        pytest.param(
            ["--os-scope", "image=A"], {"OS_SCOPE": "{not a scope"}, '{"image":"A"}', id="what loses is not read"
        ),
    ],
)
def test_where_the_scope_comes_from(
    run: "Callable[..., int]",
    cloud: Any,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variables: dict[str, str],
    sent: str | None,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run("network", "list", *arguments) == 0
    assert cloud.scopes() == {sent}


@pytest.mark.parametrize("scope", [{"image": "A", "block-storage": "B"}, "image=A,volume=B"])
def test_clouds_yaml(run: "Callable[..., int]", cloud: Any, clouds_yaml: "Callable[..., None]", scope: object) -> None:
    clouds_yaml(scope=scope)
    assert run("network", "list") == 0
    assert cloud.scopes() == {'{"block-storage":"B","image":"A"}'}


def test_the_environment_wins_over_clouds_yaml(
    run: "Callable[..., int]", cloud: Any, clouds_yaml: "Callable[..., None]", monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds_yaml(scope={"image": "A"})
    monkeypatch.setenv("OS_SCOPE_NETWORK", "B")
    assert run("network", "list") == 0
    assert cloud.scopes() == {'{"network":"B"}'}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OS_SCOPE": "image"}, "expected SERVICE=CLOUD, or a JSON object, in OS_SCOPE, at character 0"),
        ({"OS_SCOPE_IMAGE": "A B"}, "expected & or | between clouds, in OS_SCOPE_IMAGE, at character 13"),
        ({"OS_SCOPE_IMAGE": "A,network=B"}, "in OS_SCOPE_IMAGE, at character 12"),
        ({"OS_SCOPE_9": "A"}, 'expected a service type such as image, or *, not "9", in OS_SCOPE_9,'),
        (
            {"OS_SCOPE_VOLUME": "A", "OS_SCOPE_VOLUMEV3": "B"},
            "OS_SCOPE_VOLUME and OS_SCOPE_VOLUMEV3 both name block-storage",
        ),
    ],
)
def test_malformed_variables(
    run: "Callable[..., int]",
    cloud: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run("network", "list") == 1
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert cloud.asked == []


@pytest.mark.parametrize("scope", [{"image": ["A"]}, {"image": True}, {"im age": "A"}, ["image=A"], 5])
def test_malformed_in_clouds_yaml(
    run: "Callable[..., int]",
    cloud: Any,
    clouds_yaml: "Callable[..., None]",
    capsys: pytest.CaptureFixture[str],
    scope: object,
) -> None:
    clouds_yaml(scope=scope)
    assert run("network", "list") == 1
    told = capsys.readouterr().err
    assert "Malformed scope: expected" in told
    assert "clouds.yaml" in told
    assert cloud.asked == []


def test_help_works_under_a_malformed_scope(
    run: "Callable[..., int]", cloud: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OS_SCOPE", "{")
    assert run("help", "scope", "explain") == 0
    assert "which cloud would serve" in capsys.readouterr().out
    assert cloud.asked == []


def test_a_vendor_hook_of_the_cloud_itself_runs_too(
    run: "Callable[..., int]",
    cloud: Any,
    clouds_yaml: "Callable[..., None]",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "a_vendor.py").write_text(
        "def hook(connection):\n    connection.session.additional_headers['X-Vendor'] = connection.name\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[str] = []
    monkeypatch.setattr(type(cloud), "saw", lambda _self, headers: seen.append(headers.get("X-Vendor")))
    clouds_yaml(scope="image=A", vendor_hook="a_vendor:hook")
    assert run("network", "list", "--os-scope", '{"image": "CloudTwo"}') == 0
    assert cloud.scopes() == {SCOPE}
    assert set(seen) == {"one"}


def test_identity_elsewhere_logs_in_there(
    run: "Callable[..., int]", cloud: Any, clouds_yaml: "Callable[..., None]"
) -> None:
    clouds_yaml(scope={"identity": "CloudTwo"})
    assert run("network", "list") == 0
    assert {asked.token for asked in cloud.asked} == {None, "token-1-CloudTwo"}
