"""Three real clouds for all tests of this folder, and their users."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from openstackoid.lab import Lab

CLOUDS = ("CloudOne", "CloudTwo", "CloudThree")
ELSEWHERE = "compute=CloudTwo,network=CloudTwo,placement=CloudTwo"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Clouds of their own: other addresses and another folder than those of a lab that a developer plays with."""
    clouds = Lab(tmp_path_factory.mktemp("lab"), CLOUDS, "127.0.101.0")
    try:
        clouds.up(progress=print)
        yield clouds
    finally:
        clouds.reset()


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
        return subprocess.run([binary, *words[1:]], env=env, capture_output=True, text=True, check=False, timeout=180)

    def ok(self, command: str) -> str:
        done = self.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, command: str) -> Any:
        return json.loads(self.ok(f"{command} -f json"))

    def token(self, scope: str | None = None) -> str:
        auth = yaml.safe_load(self.lab.clouds_yaml.read_text())["clouds"][self.entry]["auth"]
        answer = login(self.lab.clouds[self.cloud].auth_url, auth, scope)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["X-Subject-Token"])

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
    """Lines of a gateway's audit trail that have the wanted values."""

    def lines(cloud: str, **wanted: object) -> list[dict[str, Any]]:
        told = [json.loads(line) for line in lab.clouds[cloud].audit.read_text().splitlines()]
        return [line for line in told if all(line[key] == value for key, value in wanted.items())]

    return lines
