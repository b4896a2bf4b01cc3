"""Clients in Go, Java, Ruby and C++, from their archives: they list everywhere, and call a cloud's own API with oaktree's token."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oaktree.answering import Oaktree, Web, running
from tests.oaktree.toolchains import BUILDS, Built

ROOT = "/compute/v2.1"
TOKEN = "one of-alice"


@pytest.fixture(scope="module", params=sorted(BUILDS))
def programs(request: pytest.FixtureRequest) -> Built:
    return BUILDS[request.param]()


@pytest.fixture
def oaktree(tmp_path: Path) -> Iterator[Oaktree]:
    with running(Oaktree(tmp_path)) as server:
        yield server


@pytest.fixture
def api(oaktree: Oaktree) -> Iterator[Web]:
    """The compute service of the cloud "one"."""
    with running(Web()) as server:
        oaktree.clouds.root_url = f"{server.url}{ROOT}/"
        yield server


def output(programs: Built, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | programs.environment | more
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def lines(programs: Built, oaktree: Oaktree, *requests: str) -> list[str]:
    return output(programs, *programs.requests, oaktree.target, *requests, OAKTREE_TOKEN=TOKEN).stdout.splitlines()


def test_servers_of_everywhere(programs: Built, oaktree: Oaktree) -> None:
    done = output(programs, *programs.list_servers, oaktree.target)
    assert done.stdout == "one web-one ACTIVE\ntwo web-two ACTIVE\n"
    assert "dead: no answer\n" in done.stderr


def test_the_own_api_of_a_cloud(programs: Built, oaktree: Oaktree, api: Web) -> None:
    done = output(programs, *programs.rest, oaktree.target, "one", "RegionOne")
    assert done.stdout.strip() == "{}"
    [(method, path, headers)] = api.seen
    assert (method, path) == ("GET", f"{ROOT}/os-hypervisors/statistics")
    assert headers["x-auth-token"] == "token-1"
    assert headers["openstack-api-version"] == "compute 2.100"


def test_the_token_stays_at_home(programs: Built, oaktree: Oaktree, api: Web) -> None:
    with running(Web()) as elsewhere:
        api.moved = {f"{ROOT}/a?x=1": (302, f"{ROOT}/b"), f"{ROOT}/b": (307, f"{elsewhere.url}/c")}
        elsewhere.moved = {"/c": (302, f"{api.url}/d")}
        assert lines(programs, oaktree, "GET", "/a?x=1") == ["200"]
    assert [(path, headers.get("x-auth-token")) for _, path, headers in api.seen] == [
        (f"{ROOT}/a?x=1", "token-1"),
        (f"{ROOT}/b", "token-1"),
        ("/d", "token-1"),
    ]
    assert api.seen[0][2]["cookie"] == "mine"
    [(_, _, headers)] = elsewhere.seen
    assert headers["x-mine"] == "kept"
    assert not {"x-auth-token", "authorization", "cookie", "openstack-api-version"} & headers.keys()


def test_what_is_wrong_is_an_error(programs: Built, oaktree: Oaktree, api: Web) -> None:
    api.moved = {f"{ROOT}/endless": (302, f"{ROOT}/endless")}
    with running(Web()) as elsewhere:
        endless, url, after = lines(
            programs, oaktree, *("GET", "endless"), *("GET", f"{elsewhere.url}/x"), *("POST", "servers")
        )
        assert not elsewhere.seen
    assert "redirects" in endless
    assert url.startswith("error: ")
    assert "below" in url
    assert after == "200"
    assert api.seen[-1][:2] == ("POST", f"{ROOT}/servers")


def test_a_token_that_ends_is_renewed(programs: Built, oaktree: Oaktree, api: Web) -> None:
    oaktree.clouds.lasts = 30
    assert lines(programs, oaktree, *("GET", "servers"), *("GET", "servers")) == ["200", "200"]
    assert [headers["x-auth-token"] for _, _, headers in api.seen] == ["token-1", "token-2"]
    oaktree.clouds.lasts = 3600
    api.seen.clear()
    assert lines(programs, oaktree, *("GET", "servers"), *("GET", "servers")) == ["200", "200"]
    assert [headers["x-auth-token"] for _, _, headers in api.seen] == ["token-3", "token-3"]
    # The credential of the program, each time that it asked the oaktree.
    assert oaktree.clouds.heard == 3 * [("x-oaktree-token", TOKEN)]


def test_an_oaktree_that_refuses_is_an_error(programs: Built, oaktree: Oaktree, api: Web) -> None:
    oaktree.clouds.fails = True
    [refused] = lines(programs, oaktree, "GET", "servers")
    assert "the cloud does not answer" in refused
    assert not api.seen
