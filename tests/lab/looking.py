"""How tests look at a lab from outside: as a user, as an operator of HAProxy, at its processes."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from openstackoid.lab import Cloud, Lab, haproxy
from openstackoid.lab.processes import Process, converses

# As our clients write it; with spaces, it would go through the gateway always.
THERE = '{"image":"Beta"}'
IMAGES = "/v2/images"


def until(condition: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.1)


def login(lab: Lab, name: str) -> str:
    auth = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"][name]["auth"]
    domain = {"domain": {"name": "Default"}}
    user = {"name": auth["username"], "password": auth["password"], **domain}
    methods = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": methods, "scope": {"project": {"name": auth["project_name"], **domain}}}}
    request = urllib.request.Request(f"{auth['auth_url']}/auth/tokens", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=120) as answer:
        return str(answer.headers["X-Subject-Token"])


def images(cloud: Cloud, token: str, scope: str | None, mark: str = "") -> dict[str, str]:
    """Names and ids of the images that are seen; none where the request is refused. The mark is the request's id."""
    request = urllib.request.Request(cloud.frontend("image") + IMAGES, headers={"X-Auth-Token": token})
    if scope:
        request.add_header("X-Scope", scope)
    if mark:
        request.add_header("X-Openstack-Request-Id", mark)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return {image["name"]: image["id"] for image in json.load(answer)["images"]}
    except urllib.error.HTTPError as refused:
        refused.close()
        return {}


def known(cloud: Cloud, name: str) -> dict[str, str]:
    """What a map of a running HAProxy holds."""
    lines = converses(cloud.haproxy_admin, f"show map {cloud.haproxy / name}", 60).splitlines()
    return {fields[1]: fields[2] for line in lines if len(fields := line.split(" ", 2)) == 3}


def seen(cloud: Cloud, path: str = IMAGES) -> list[Any]:
    """What the gateway of a cloud has seen of requests for images."""
    told = [json.loads(line) for line in cloud.audit.read_text().splitlines()]
    return [line["peer"] for line in told if line["path"] == path]


def pids(lab: Lab) -> dict[tuple[str, str], int | None]:
    return {(row.cloud, row.service): row.pid for row in lab.status()}


def worker(cloud: Cloud) -> Process:
    # One that a reload replaced ends when its connections have.
    until(lambda: len(haproxy.family(cloud)) == 2)
    (found,) = haproxy.family(cloud)[1:]
    return found


def gone(processes: Sequence[Process]) -> bool:
    return not any(process.alive for process in processes)
