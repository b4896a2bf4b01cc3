"""What several of these tests need: waiting, a gateway's process and its configuration, tokens for other clouds."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
import yaml
from tests import commands

from openstackoid.lab import Lab
from openstackoid.lab.processes import Process

Config = dict[str, Any]
EXCHANGE = "/openstackoid/v1/token"


def until(done: Callable[[], bool], seconds: float = 180) -> None:
    """Ask until it is so: often at first, since most waits are short, then every half second, since clouds work for each answer."""
    deadline, pause = time.monotonic() + seconds, 0.05
    while not done():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(pause)
        pause = min(1.3 * pause, 0.5)


def part(lab: Lab, cloud: str, name: str = "gateway") -> Process:
    """The process of a cloud's gateway, or of one of its services."""
    process = lab.process(cloud, name)
    assert process is not None, f"{cloud}'s {name} does not run"
    return process


def reconfigure(lab: Lab, cloud: str, change: Callable[[Config], None]) -> None:
    """Have a gateway read another configuration, without a restart; `lab.up()` puts back what belongs there."""
    path, log = lab.clouds[cloud].gateway_config, lab.clouds[cloud].log("gateway")
    config = yaml.safe_load(path.read_text())
    change(config)
    path.write_text(yaml.safe_dump(config))
    reload(lab, cloud, log.read_text().count("the configuration again"))


def reload(lab: Lab, cloud: str, before: int) -> None:
    log = lab.clouds[cloud].log("gateway")
    part(lab, cloud).signal(signal.SIGHUP)
    until(lambda: log.read_text().count("the configuration again") > before)
    if lab.process(cloud, "haproxy"):
        command = [sys.executable, "-m", "openstackoid", "haproxy", "apply", "--config"]
        done = commands.run(
            [*command, str(lab.clouds[cloud].gateway_config)], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def reconfigured(lab: Lab, **changes: Callable[[Config], None]) -> Iterator[None]:
    """The same for several clouds and for a while."""
    kept = {cloud: lab.clouds[cloud].gateway_config.read_text() for cloud in changes}
    try:
        for cloud, change in changes.items():
            reconfigure(lab, cloud, change)
        yield
    finally:
        for cloud, text in kept.items():
            lab.clouds[cloud].gateway_config.write_text(text)
            if lab.process(cloud, "gateway"):
                reload(lab, cloud, lab.clouds[cloud].log("gateway").read_text().count("the configuration again"))


def exchange(frontend: str, token: str, audience: str, **fields: str) -> requests.Response:
    """Ask a user's own cloud for a token that another one believes (RFC 8693)."""
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": audience,
    }
    return requests.post(f"{frontend}{EXCHANGE}", data=form | fields, timeout=60)


def federated(frontend: str, token: str, audience: str) -> str:
    answer = exchange(frontend, token, audience)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
