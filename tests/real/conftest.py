"""Three real clouds for all tests of this folder, and their users.

Clouds meet in several ways, here *topologies*. Most tests run once, in clouds of different owners with projects of their own for each
other's users, which is the default; a file or a test that is marked `topologies` runs in those that it names. The clouds are started once:
all tests of a topology run, then gateways, HAProxy and what they keep go, and those of the next topology stand before the same clouds.
"""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import requests
import yaml
from tests import commands

from openstackoid.lab import Lab, state

from .gateways import remove_gateways

CLOUDS = ("CloudOne", "CloudTwo", "CloudThree")
ELSEWHERE = "compute=CloudTwo,network=CloudTwo,placement=CloudTwo"

TOPOLOGIES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "each": {},
        "same": {"projects": "same", "pseudonyms": True},
        "pass-through": {"trust": "pass-through"},
        "gateway-only": {"with_haproxy": False},
    }
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"topologies(name, ...): run in labs of these topologies: {', '.join(TOPOLOGIES)}"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "topology" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("topologies")
        names = marker.args if marker else ("each",)
        metafunc.parametrize("topology", names, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        if _is_ours(item):
            item.add_marker(pytest.mark.real)
    yield  # now pytest has chosen by marks, and sorted by fixtures
    # A test of one topology between those of another would cost two starts of gateways.
    places = [place for place, item in enumerate(items) if _is_ours(item)]
    for place, item in zip(places, sorted((items[place] for place in places), key=_order), strict=True):
        items[place] = item


def _is_ours(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents


def _order(item: pytest.Item) -> int:
    callspec = getattr(item, "callspec", None)
    return list(TOPOLOGIES).index(callspec.params["topology"]) if callspec and "topology" in callspec.params else -1


@pytest.fixture(scope="session")
def topology(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of the lab, whatever its topology is; it is gone in the end."""
    made = tmp_path_factory.mktemp("lab")
    try:
        yield made
    finally:
        Lab(made).reset()


@pytest.fixture(scope="session")
def lab(folder: Path, topology: str) -> Lab:
    """Clouds of their own: other addresses and another folder than those of a lab that a developer plays with."""
    if (folder / state.FILE).exists():
        remove_gateways(Lab(folder))
    clouds = Lab(folder, CLOUDS, "127.0.101.0", spawn=commands.spawn, **TOPOLOGIES[topology])
    clouds.up(progress=print)
    return clouds


@dataclass(frozen=True)
class User:
    """The stock client, and plain HTTP, as one user of one cloud."""

    lab: Lab
    entry: str

    @property
    def cloud(self) -> str:
        return self.entry.removesuffix("-admin")

    def run(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        env |= {"OS_CLIENT_CONFIG_FILE": str(self.lab.clouds_yaml), "OS_CLOUD": self.entry, **variables}
        words = shlex.split(command)
        binary = str(Path(sys.executable).parent / words[0])
        return commands.run([binary, *words[1:]], env=env, capture_output=True, text=True, check=False, timeout=180)

    def ok(self, command: str) -> str:
        done = self.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, command: str) -> Any:
        return json.loads(self.ok(f"{command} -f json"))

    def login(self, scope: str | None = None) -> requests.Response:
        auth = yaml.safe_load(self.lab.clouds_yaml.read_text())["clouds"][self.entry]["auth"]
        answer = login(self.lab.clouds[self.cloud].auth_url, auth, scope)
        assert answer.status_code == 201, answer.text
        return answer

    def token(self, scope: str | None = None) -> str:
        return str(self.login(scope).headers["X-Subject-Token"])

    @cached_property
    def ids(self) -> tuple[str, str]:
        """(user, project), as this user's own cloud knows them."""
        body = self.login().json()["token"]
        return body["user"]["id"], body["project"]["id"]

    def frontend(self, kind: str) -> str:
        return self.lab.clouds[self.cloud].frontend(kind)


def login(auth_url: str, auth: dict[str, str], scope: str | None = None) -> requests.Response:
    user = {"name": auth["username"], "password": auth["password"], "domain": {"name": "Default"}}
    project = {"name": auth["project_name"], "domain": {"name": "Default"}}
    body: Any = {
        "auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
    }
    headers = {"X-Scope": scope} if scope else {}
    return requests.post(f"{auth_url}/auth/tokens", json=body, headers=headers, timeout=60)


@pytest.fixture(scope="session")
def alice(lab: Lab) -> User:
    """A plain member of CloudOne, who exists nowhere else."""
    return User(lab, "CloudOne")


@pytest.fixture(scope="session")
def rows(lab: Lab) -> Callable[[str, str, str], set[str]]:
    """The first column of a query on a database of a cloud: what its services themselves know."""

    def query(cloud: str, database: str, sql: str) -> set[str]:
        path = lab.clouds[cloud].database(database)
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)
        try:
            return {row[0] for row in connection.execute(sql)}
        finally:
            connection.close()

    return query


@pytest.fixture(scope="session")
def audit(lab: Lab) -> Callable[..., list[dict[str, Any]]]:
    """Lines of a cloud's audit trail that have the wanted values: the gateway's, and HAProxy's of what went straight."""

    def lines(cloud: str, **wanted: object) -> list[dict[str, Any]]:
        told = [json.loads(line) for line in lab.clouds[cloud].audit.read_text().splitlines()]
        straight = lab.clouds[cloud].log("haproxy")
        for text in straight.read_text().splitlines() if straight.exists() else ():
            if text.startswith("{"):
                line = json.loads(text)
                told.append(line | {"decision": "remote" if line["way"] in {"R", "T"} else "local"})
        return [line for line in told if all(line.get(key) == value for key, value in wanted.items())]

    return lines
