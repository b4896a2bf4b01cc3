"""Clients in other languages: made from the definitions, built, and run against a server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oaktree import installed
from tests.oaktree.answering import Oaktree, Web, running
from tests.oaktree.builds import built, digest
from tools import clients

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients/javascript"
# What code is made of and by, for every language.
DEFINITIONS = (ROOT / "proto", ROOT / "tools/clients.py")
PACKAGES = ("grpcio-tools", "googleapis-common-protos")


@pytest.fixture
def oaktree(tmp_path: Path) -> Iterator[Oaktree]:
    """An oaktree."""
    with running(Oaktree(tmp_path)) as server:
        yield server


def run(*command: str | Path, cwd: Path | None = None, limit: int = 300) -> subprocess.CompletedProcess[str]:
    """Run a program that must succeed."""
    assert shutil.which(command[0]), f"{command[0]} is missing: make install"
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=limit)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where programs can import the JavaScript package, made and built from the definitions."""
    folder = tmp_path_factory.mktemp("javascript")
    modules = PACKAGE / "node_modules"
    assert modules.exists(), "npm's packages are missing: make install"

    def build(made: Path) -> None:
        shutil.copytree(PACKAGE, made, ignore=shutil.ignore_patterns("node_modules", "gen", "dist"), dirs_exist_ok=True)
        (made / "node_modules").symlink_to(modules)
        clients.generate("javascript", made / "src/gen")
        run(modules / ".bin/tsc", "-p", made)
        (made / "node_modules").unlink()

    key = digest([*DEFINITIONS, *installed.javascript_sources()], [("node", "--version")], PACKAGES)
    there = folder / "node_modules/openstackoid-oaktree"
    shutil.copytree(built("javascript", key, build), there)
    (there / "node_modules").symlink_to(modules)
    return folder


def check_listing(done: subprocess.CompletedProcess[str]) -> None:
    assert done.stdout == "one web-one ACTIVE\ntwo web-two ACTIVE\n"
    assert done.stderr == "dead: no answer\n"


def test_python_lists_servers_of_everywhere(oaktree: Oaktree) -> None:
    check_listing(run(sys.executable, ROOT / "examples/oaktree/list_servers.py", oaktree.target))


def test_javascript_lists_servers_of_everywhere(oaktree: Oaktree, package: Path) -> None:
    shutil.copy(ROOT / "examples/oaktree/list-servers.mjs", package)
    check_listing(run("node", "list-servers.mjs", oaktree.target, cwd=package))


def test_examples_of_few_lines_fail_if_a_cloud_did_not_answer(oaktree: Oaktree, package: Path) -> None:
    environment = os.environ | {"OAKTREE_TARGET": f"unix:{oaktree.socket}"}
    shutil.copy(ROOT / "examples/oaktree/list-everywhere.mjs", package)
    for command in (
        [sys.executable, str(ROOT / "examples/oaktree/list_everywhere.py")],
        ["node", "list-everywhere.mjs"],
    ):
        done = subprocess.run(
            command, cwd=package, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.stdout == "one web-one ACTIVE\ntwo web-two ACTIVE\n"
        assert "CloudsFailedError: what was listed is not all: dead/RegionOne: no answer" in done.stderr
        assert done.returncode == 1


def test_javascript_has_messages_credentials_and_rest(oaktree: Oaktree, package: Path) -> None:
    with running(Web()) as api, running(Web()) as elsewhere:
        oaktree.clouds.root_url = f"{api.url}/compute/v2.1/"
        root = "/compute/v2.1"
        api.moved = {
            f"{root}/a": (302, f"{root}/b"),
            f"{root}/b": (307, f"{elsewhere.url}/c"),
            f"{root}/endless": (302, f"{root}/endless"),
        }
        elsewhere.moved = {"/c": (302, f"{api.url}/d")}
        shutil.copy(ROOT / "tests/oaktree/javascript/client.mjs", package)
        where = (oaktree.target, oaktree.socket, oaktree.secure, oaktree.authority, *oaktree.certificate)
        found = json.loads(run("node", "client.mjs", *where, cwd=package).stdout)
    assert found["server"] == {
        "name": "web-one",
        "progress": str(2**53 + 1),
        "addresses": {"net": [{"addr": "192.0.2.1", "version": 4}]},
        "absent": True,
    }
    assert found["malformed"] == "options.query: malformed"
    assert found["names"] == ["web-one", "web-two"]
    assert found["partial"] == "what was listed is not all: dead/RegionOne: no answer"
    assert found["warned"] == 2
    assert found["warnings"] == ["CloudsFailedWarning: what was listed is not all: dead/RegionOne: no answer"]
    assert {"servers", "images", "securityGroups", "resources"} <= set(found["lists"])
    assert not {"clouds", "kinds", "operations"} & set(found["lists"])
    assert found["image"] == {"name": "tiny", "size": "30"}
    assert oaktree.heard == 3 * [("x-oaktree-application-credential", "one ab12 s%C3%A9cret%20word%2C")]
    assert "certificate" in found["unproved"]
    assert "without TLS" in found["network"]
    assert (found["ok"], found["posted"], found["manual"]) == (True, 302, 302)
    assert "redirects" in found["endless"]
    assert "below" in found["url"]
    # One token for all of them, and it stays at home.
    assert oaktree.clouds.given == 1
    assert api.seen[0][1] == f"{root}/servers/detail?limit=1"
    assert [headers.get("x-auth-token") for _, path, headers in api.seen if path != "/d"] == ["token-1"] * (
        len(api.seen) - 1
    )
    [(_, _, headers)] = [seen for seen in api.seen if seen[1] == f"{root}/b"]
    assert headers["openstack-api-version"] == "compute 2.1"
    [(_, _, headers)] = elsewhere.seen
    assert headers["x-mine"] == "kept"
    assert not {"x-auth-token", "authorization", "cookie"} & headers.keys()


def test_javascript_renews_a_token_that_ends(oaktree: Oaktree, package: Path) -> None:
    (package / "renew.mjs").write_text(
        'import { client, connect, rest } from "openstackoid-oaktree";\n'
        'import { CloudService } from "openstackoid-oaktree/v1/cloud_pb";\n'
        "const clouds = client(CloudService, connect(process.argv[2], { plain: true }));\n"
        'const get = rest(clouds, { cloud: "one" }, "compute");\n'
        'await get("servers").catch(() => undefined);\n'
        'await get("servers");\nawait Promise.all([get("servers"), get("servers")]);\nprocess.exit(0);\n'
    )
    with running(Web()) as api:
        oaktree.clouds.root_url = api.url
        oaktree.clouds.lasts = 30
        run("node", "renew.mjs", oaktree.target, cwd=package)
    tokens = [headers["x-auth-token"] for _, _, headers in api.seen]
    assert tokens == ["token-1", "token-2", "token-3", "token-3"]


def test_proto_loader_reads_the_folder_as_it_is(oaktree: Oaktree) -> None:
    program = ROOT / "tests/oaktree/javascript/proto-loader.mjs"
    check_listing(run("node", program, PACKAGE / "node_modules", ROOT / "proto", oaktree.target))


@pytest.mark.parametrize(
    ("language", "file", "said"),
    [
        ("cpp", "oaktree/v1/compute.grpc.pb.h", "namespace oaktree"),
        ("go", "v1/compute_grpc.pb.go", "package oaktreev1"),
        ("java", "src/main/java/org/openstackoid/oaktree/v1/Server.java", "package org.openstackoid.oaktree.v1;"),
        ("javascript", "oaktree/v1/compute_pb.ts", "export const ComputeService"),
        ("ruby", "lib/oaktree/v1/compute_services_pb.rb", "module Oaktree"),
    ],
)
def test_code_is_made_for_every_language(tmp_path: Path, language: str, file: str, said: str) -> None:
    made = clients.generate(language, tmp_path / "made")
    assert said in (made / file).read_text()
    assert {case[0] for case in _cases()} == clients.LANGUAGES.keys()


def _cases() -> list[tuple[str, str, str]]:
    [mark] = [m for m in test_code_is_made_for_every_language.pytestmark if m.name == "parametrize"]  # type: ignore[attr-defined]
    return list(mark.args[1])


def test_a_missing_plugin_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert clients.main(["go"]) == 1
    assert "protoc-gen-go is missing: apt-get install" in capsys.readouterr().err
