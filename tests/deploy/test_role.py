"""The Ansible role, over ssh to a real sshd; what it wrote then serves."""

import importlib.util
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from openstackoid.lab import certificates

from .conftest import Machine, port, until


def _wire() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_wire", Path(__file__).parents[1] / "gateway" / "wire.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


wire = _wire()


@dataclass
class Deployed:
    """A machine with the role's first run behind it, serving."""

    machine: Machine
    image: Any
    peer: Any
    frontend: str
    first: list[str]

    def etc(self, name: str = "gateway.yaml") -> Path:
        return self.machine.folder / "etc" / name

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.etc().read_text())
        return found


@pytest.fixture(scope="module")
def deployed(machine: Machine) -> Iterator[Deployed]:
    here = wire.Upstream(lambda seen, _: wire.reply(200, {"cloud": "here", "target": seen.target}))
    there = wire.Upstream(lambda seen, _: wire.reply(200, {"cloud": "there", "target": seen.target}))
    ports = [port() for _ in range(3)]
    signer = certificates.authority(
        machine.folder / "control" / "ca.crt", machine.folder / "control" / "ca.key", datetime.now(UTC)
    )
    pair = (machine.folder / "control" / "peering.crt", machine.folder / "control" / "peering.key")
    certificates.ensure(*pair, signer, "localhost", "127.0.0.1", datetime.now(UTC))
    machine.variables |= {
        "openstackoid_cloud": "CloudOne",
        "openstackoid_services": {
            kind: {"frontend": f"http://127.0.0.1:{number}", "backend": here.url}
            for kind, number in zip(("identity", "image"), ports, strict=False)
        },
        "openstackoid_peering": {
            "url": f"https://localhost:{ports[2]}",
            "listen": f"127.0.0.1:{ports[2]}",
            "certificate": str(pair[0]),
            "key": str(pair[1]),
        },
        "openstackoid_trust": {
            "account": {
                "auth_url": f"{here.url}/v3", "username": "openstackoid", "password": "marker-password",
                "project_name": "service",
            },
        },
        "openstackoid_ca": str(machine.folder / "control" / "ca.crt"),
        "openstackoid_timeouts": {"grace": 2, "refresh": 0.5},
        "openstackoid_admin_listen": f"127.0.0.1:{port()}",
        "openstackoid_reload_command": f"test ! -e {machine.folder}/gateway.pid || kill -HUP $(cat {machine.folder}/gateway.pid)",
    }  # fmt: skip
    looked = machine.play("--check").ended_well()
    assert "Make the directories" in looked.tasks
    assert not (machine.folder / "etc").exists(), "check mode has changed something"
    first = machine.play().ended_well()
    assert "marker-password" not in first.text
    made = Deployed(machine, here, there, f"http://127.0.0.1:{ports[1]}", first.tasks)
    serve(made)
    yield made
    machine.close()
    here.close()
    there.close()


def serve(made: Deployed) -> None:
    """As the units do it."""
    folder = made.machine.folder
    program, config = str(folder / "opt" / "bin" / "openstackoid"), str(made.etc())
    gateway = made.machine.start("gateway", program, "gateway", "--config", config, "--workers", "2")
    (folder / "gateway.pid").write_text(str(gateway.pid))
    directory = folder / "data" / "haproxy"
    made.machine.start(
        "haproxy", "/usr/sbin/haproxy", "-W", "-S", f"{directory}/master.sock", "-f", f"{directory}/haproxy.cfg"
    )
    until(lambda: made.machine.said("gateway").count("serving at") == 2)
    until((directory / "admin.sock").exists)


def test_the_first_run_makes_everything_and_it_serves(deployed: Deployed) -> None:
    assert {"Install the package", "Make the cloud's keys, once", "Write the configuration"} <= set(deployed.first)
    answer = wire.ask(deployed.frontend, "/v2/images")
    assert (answer.status, answer.json["cloud"]) == (200, "here")
    named = wire.ask(deployed.frontend, "/v2/images", wire.scope(image="CloudOne"))
    assert named.json["cloud"] == "here"
    known = wire.ask(deployed.frontend, "/.well-known/openstackoid").json
    assert known["keys"]["keys"], "the keys that the role made"
    # As HAProxy of OpenStack-Ansible asks whether the gateway is there: "option httpchk".
    checked = wire.raw(deployed.frontend, b"GET /.well-known/openstackoid HTTP/1.0\r\n\r\n")
    assert checked.split()[1] == b"200"


def test_nobody_else_may_read_what_is_secret(deployed: Deployed) -> None:
    folder = deployed.machine.folder

    def seen(*parts: str) -> tuple[str, str]:
        path = folder.joinpath(*parts)
        return path.owner(), stat.filemode(path.stat().st_mode)

    user, root = deployed.machine.user, "root" if os.geteuid() == 0 else deployed.machine.user
    assert seen("data", "keys.json") == (user, "-rw-------")
    assert seen("etc") == (root, "drwxr-x---")
    assert seen("data") == seen("log") == seen("data", "haproxy") == (user, "drwxr-x---")
    for name in ("gateway.yaml", "peering.key", "account.password"):
        assert seen("etc", name) == (root, "-rw-r-----")
    assert (folder / "etc" / "account.password").read_text() == "marker-password"
    assert "marker-password" not in deployed.etc().read_text()


def test_a_second_run_changes_nothing(deployed: Deployed) -> None:
    again = deployed.machine.play().ended_well()
    assert (again.changed, again.tasks) == (0, [])


def test_a_changed_variable_changes_its_file_alone_and_is_in_force(deployed: Deployed) -> None:
    before = {path: path.read_bytes() for path in deployed.etc().parent.iterdir() if path != deployed.etc()}
    peer = {"CloudTwo": {"url": deployed.peer.url, "token": "pass-through", "services": {"image": deployed.peer.url}}}
    deployed.machine.variables["openstackoid_peers"] = peer
    looked = deployed.machine.play("--check").ended_well()
    assert looked.tasks == ["Write the configuration"]
    assert "peers" not in deployed.config
    changed = deployed.machine.play("--tags", "configure").ended_well()
    assert changed.tasks == [
        "Write the configuration", "Reload the gateway without systemd", "Apply to HAProxy without systemd",
    ]  # fmt: skip
    assert {path: path.read_bytes() for path in before} == before
    until(lambda: deployed.machine.said("gateway").count("read the configuration again") == 2)
    answer = wire.ask(deployed.frontend, "/v2/images", wire.scope(image="CloudTwo"))
    assert answer.json["cloud"] == "there"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"openstackoid_settings": {"peers": {"CloudThree": {"url": "ftp://there"}}}}, "peers.CloudThree"),
        # Nobody but HAProxy looks a backend up when it reads its configuration.
        ({"backend": "http://no-such-host.invalid:9292"}, "HAProxy refuses"),
    ],
)
def test_what_the_gateway_or_haproxy_would_refuse_is_not_put_in_force(
    deployed: Deployed, wrong: dict[str, Any], told: str
) -> None:
    before = deployed.etc().read_text()
    if "backend" in wrong:
        services = deployed.machine.variables["openstackoid_services"]
        wrong = {"openstackoid_services": {kind: service | wrong for kind, service in services.items()}}
    run = deployed.machine.play("--tags", "configure", **wrong)
    assert run.code != 0
    assert told in run.text
    assert deployed.etc().read_text() == before
    assert wire.ask(deployed.frontend, "/v2/images").status == 200


def test_no_package_is_taken_from_a_public_index_by_its_name(deployed: Deployed) -> None:
    run = deployed.machine.play("--check", openstackoid_wheel="")
    assert run.code != 0
    assert "Nothing to install: set openstackoid_wheel" in run.text


def test_a_wrong_variable_is_told(deployed: Deployed) -> None:
    unknown = deployed.machine.play(openstackoid_peerings={})
    assert "Unknown variables: openstackoid_peerings" in unknown.text
    wrong = deployed.machine.play(
        openstackoid_workers="many",
        openstackoid_timeouts={"idel": 3},
        openstackoid_catalog={"auth_url": "http://there"},
    )
    for told in ("openstackoid_workers", "idel", "missing required arguments: password, project_name, username"):
        assert told in wrong.text
    for run in (unknown, wrong):
        assert run.code != 0
        assert run.changed == 0
        assert "marker-password" not in run.text


def test_two_machines_of_a_cloud_share_its_keys(deployed: Deployed) -> None:
    folder = deployed.machine.folder
    places = {}
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name).chmod(0o755)
        places[name] = {f"openstackoid_{kind}_dir": str(folder / name / kind) for kind in ("config", "data", "log")}
    deployed.machine.play("--tags", "keys", hosts=places, openstackoid_reload_command="").ended_well()
    keys = [folder / name / "data" / "keys.json" for name in places]
    assert keys[0].read_text() == keys[1].read_text()
    assert [(path.owner(), path.stat().st_mode & 0o777) for path in keys] == [(deployed.machine.user, 0o600)] * 2
