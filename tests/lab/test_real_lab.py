"""The lab itself, on real clouds: it heals, keeps, grows, and is no trouble to others."""

import hashlib
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from tests import commands
from tests.lab.conftest import ADDRESS
from tests.lab.looking import THERE, gone, images, known, login, pids, seen, worker
from tests.real.gateways import remove_gateways

from openstackoid.lab import Lab, haproxy
from openstackoid.lab.processes import Health, stat

pytestmark = pytest.mark.real


class Client:
    """Just enough of a client to see what the lab gives; asks through the gateway."""

    def __init__(self, lab: Lab, entry: str) -> None:
        auth = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"][entry]["auth"]
        self.cloud = lab.clouds[entry.removesuffix("-admin")]
        user = {"name": auth["username"], "password": auth["password"], "domain": {"name": "Default"}}
        project = {"name": auth["project_name"], "domain": {"name": "Default"}}
        methods = {"methods": ["password"], "password": {"user": user}}
        self.token = ""
        headers, answer = self.ask(
            "POST", f"{auth['auth_url']}/auth/tokens", {"auth": {"identity": methods, "scope": {"project": project}}}
        )
        self.token = headers["X-Subject-Token"]
        self.said = json.loads(answer)["token"]

    def ask(self, method: str, url: str, body: object = None, **scope: str) -> tuple[Mapping[str, str], bytes]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token}
        if scope:
            headers["X-Scope"] = json.dumps(scope)
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.headers, answer.read()

    def get(self, kind: str, path: str) -> Any:
        return json.loads(self.ask("GET", self.cloud.frontend(kind) + path)[1])

    def images(self, **scope: str) -> set[str]:
        """Names of the images that are seen; none if the gateway does not know the cloud, or its agreement, yet."""
        try:
            found = json.loads(self.ask("GET", self.cloud.frontend("image") + "/v2/images", **scope)[1])
        except urllib.error.HTTPError as refused:
            refused.close()
            return set()
        return {image["name"] for image in found["images"]}

    def post(self, kind: str, path: str, body: object) -> Any:
        return json.loads(self.ask("POST", self.cloud.frontend(kind) + path, body)[1])

    def server(self, name: str) -> str:
        image = self.get("image", "/v2/images?name=cirros")["images"][0]["id"]
        flavor = self.get("compute", "/v2.1/flavors")["flavors"][0]["id"]
        network = self.get("network", "/v2.0/networks?name=private")["networks"][0]["id"]
        body = {"name": name, "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}]}
        return str(self.post("compute", "/v2.1/servers", {"server": body})["server"]["id"])

    def wait(self, server: str) -> str:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            status = str(self.get("compute", f"/v2.1/servers/{server}")["server"]["status"])
            if status != "BUILD":
                return status
            time.sleep(0.2)
        return "BUILD"


def kill(lab: Lab, cloud: str, part: str, how: signal.Signals) -> int:
    process = lab.process(cloud, part)
    assert process
    os.kill(process.pid, how)
    return process.pid


def until(condition: Callable[[], bool], seconds: float = 180) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def command(lab: Lab, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "openstackoid", "lab", *words, "--dir", str(lab.directory)]
    return commands.run(line, capture_output=True, text=True, env=env)


def test_second_up_does_nothing(lab: Lab) -> None:
    before = pids(lab)
    assert lab.up() is False
    assert pids(lab) == before


def test_content_of_each_cloud(lab: Lab) -> None:
    contents = set()
    for name in ("Alpha", "Beta"):
        client = Client(lab, name)
        assert {role["name"] for role in client.said["roles"]} <= {"member", "reader"}
        images = {image["name"]: image for image in client.get("image", "/v2/images")["images"]}
        assert set(images) == {"cirros", f"cirros-{name.lower()}"}
        _, data = client.ask("GET", client.cloud.frontend("image") + images["cirros"]["file"])
        assert hashlib.md5(data).hexdigest() == images["cirros"]["checksum"]
        contents.add(data)
        assert [flavor["name"] for flavor in client.get("compute", "/v2.1/flavors")["flavors"]] == ["m1.tiny"]
        groups = client.get("network", "/v2.0/security-groups")["security_groups"]
        assert [(group["name"], len(group["security_group_rules"])) for group in groups] == [("default", 4)]
    assert len(contents) == 2


def test_every_catalog_endpoint_is_a_frontend(lab: Lab) -> None:
    client = Client(lab, "Beta")
    found = {each["type"]: {end["url"] for end in each["endpoints"]} for each in client.said["catalog"]}
    assert found == {kind: {client.cloud.endpoint(kind)} for kind in found}
    assert set(found) == {"identity", "image", "placement", "compute", "network"}


def test_a_token_of_one_cloud_means_nothing_in_the_other(lab: Lab) -> None:
    alpha, beta = Client(lab, "Alpha-admin"), Client(lab, "Beta-admin")
    for paths in ({"image": "/v2/images"}, {"compute": "/v2.1/servers"}, {"network": "/v2.0/networks"}):
        for kind, path in paths.items():
            for url in (beta.cloud.frontend(kind), beta.cloud.backend(kind)):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    alpha.ask("GET", url + path)
                refused.value.close()
                assert refused.value.code == 401


def test_clouds_share_no_ids_keys_or_passwords(lab: Lab) -> None:
    def rows(cloud: str, table: str) -> set[str]:
        with sqlite3.connect(lab.clouds[cloud].database("keystone")) as database:
            return {row[0] for row in database.execute(f"SELECT id FROM {table}")}

    for table in ("user", "endpoint", "service", "role"):
        assert rows("Alpha", table)
        assert not rows("Alpha", table) & rows("Beta", table)
    keys = [
        path.read_bytes()
        for name in ("Alpha", "Beta")
        for folder in ("fernet-keys", "receipt-keys", "credential-keys")
        for path in (lab.clouds[name].etc / folder).iterdir()
    ]
    assert len(keys) == len(set(keys)) == 2 * 3 * 2
    assert lab.secrets("Alpha") != lab.secrets("Beta")


def test_each_door_shows_a_certificate_of_the_labs_own_authority(lab: Lab) -> None:
    strict = ssl.create_default_context(cafile=str(lab.directory / "ca.crt"))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    for cloud in lab.clouds.values():
        host = cloud.frontend_host
        with (
            socket.create_connection((host, 8443), 60) as plain,
            strict.wrap_socket(plain, server_hostname=host) as door,
        ):
            assert door.version()
        with (
            socket.create_connection((host, 8443), 60) as plain,
            pytest.raises(ssl.SSLCertVerificationError),
            ssl.create_default_context().wrap_socket(plain, server_hostname=host),
        ):
            pass


def test_clouds_of_different_owners_work_together(lab: Lab) -> None:
    assert lab.state.federated
    for here, there in (("Alpha", "Beta"), ("Beta", "Alpha")):
        client = Client(lab, here)
        assert until(lambda: f"cirros-{there.lower()}" in client.images(image=there))  # noqa: B023 - it is over by then
        assert f"cirros-{there.lower()}" not in client.images()


def test_keystone_keeps_nothing_longer_than_it_is_true(lab: Lab) -> None:
    """It caches in memory: whichever thread answers, a new role is there and a revoked token is refused."""
    admin, client = Client(lab, "Alpha-admin"), Client(lab, "Alpha")
    auth, user, project = client.cloud.backend("identity") + "/v3", client.said["user"]["id"], client.said["project"]
    with ThreadPoolExecutor(16) as pool:

        def statuses(token: str) -> set[int]:
            """Of as many requests as keystone has threads, and more."""
            ask = partial(requests.get, f"{auth}/auth/projects", headers={"X-Auth-Token": token}, timeout=120)
            return {answer.status_code for answer in pool.map(lambda _: ask(), range(32))}

        for number in range(3):
            role = admin.post("identity", "/v3/roles", {"role": {"name": f"late-{number}"}})["role"]["id"]
            assert statuses(Client(lab, "Alpha").token) == {200}
            admin.ask("PUT", f"{auth}/projects/{project['id']}/users/{user}/roles/{role}")
            late = Client(lab, "Alpha")
            wanted = {"application_credential": {"name": f"late-{number}", "roles": [{"id": role}]}}
            made = late.post("identity", f"/v3/users/{user}/application_credentials", wanted)["application_credential"]
            assert [each["id"] for each in made["roles"]] == [role]
            assert statuses(late.token) == {200}
            headers = {"X-Auth-Token": client.token, "X-Subject-Token": late.token}
            assert requests.delete(f"{auth}/auth/tokens", headers=headers, timeout=120).status_code == 204
            assert statuses(late.token) == {401}
            admin.ask("DELETE", f"{auth}/roles/{role}")


def test_services_keep_connections_to_their_databases(lab: Lab) -> None:
    for cloud in lab.clouds.values():
        for kind in ("identity", "image", "network", "compute"):
            process = lab.process(cloud.name, kind)
            assert process is not None
            opened = {str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir()}
            assert opened >= {str(path) for path in cloud.databases(kind).values()}


def test_what_holds_passwords_is_for_its_owner_only(lab: Lab) -> None:
    assert lab.clouds_yaml.stat().st_mode & 0o777 == 0o600
    secret = [value.encode() for name in lab.clouds for value in lab.secrets(name).services.values()]
    secret += [lab.secrets(name).admin.encode() for name in lab.clouds]
    folders = [lab.directory, *(cloud.haproxy for cloud in lab.clouds.values())]
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.is_file() and any(word in path.read_bytes() for word in [*secret, b"PRIVATE KEY", b'"signing"']):
            assert path.stat().st_mode & 0o077 == 0, path
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in folders)
    assert not (lab.directory / "orders.json").exists()


def test_eight_servers_at_the_same_time(lab: Lab) -> None:
    client = Client(lab, "Alpha")
    servers = [client.server(f"one-of-eight-{n}") for n in range(8)]
    assert {client.wait(server) for server in servers} == {"ACTIVE"}
    for server in servers:
        client.ask("DELETE", f"{client.cloud.frontend('compute')}/v2.1/servers/{server}")
    assert "database is locked" not in "".join(
        client.cloud.log(part).read_text() for part in client.cloud.parts if client.cloud.log(part).exists()
    )


def test_up_heals_what_was_killed_and_what_is_stuck(lab: Lab, tmp_path: Path) -> None:
    """All at once, and outside the lab nothing is touched; HAProxy and a gateway alone: see `test_real_haproxy.py`.

    Services start as users start them: they are imported anew.
    """
    before, parts = pids(lab), ("haproxy", "gateway", "identity", "compute")
    for part in parts:
        kill(lab, "Alpha", part, signal.SIGKILL)
    kill(lab, "Beta", "placement", signal.SIGSTOP)
    shown = command(lab, "status", "-f", "json")
    assert shown.returncode == 1
    found: dict[str, list[tuple[str, str]]] = {state: [] for state in Health}
    for row in json.loads(shown.stdout):
        found[row["state"]].append((row["cloud"], row["service"]))
    assert found[Health.DOWN] == [("Alpha", part) for part in lab.clouds["Alpha"].parts if part in parts]
    assert found[Health.STUCK] == [("Beta", "placement")]
    variables = {name: value for name, value in os.environ.items() if name != "OPENSTACKOID_LAB_ZYGOTES"}
    done = command(lab, "up", "--cache", str(lab.cache), env=variables | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "Beta placement did not answer" in done.stdout
    assert list(tmp_path.iterdir()) == []
    after = pids(lab)
    changed = {("Alpha", part) for part in parts} | {("Beta", "placement")}
    assert {key for key in after if after[key] != before[key]} == changed
    assert command(lab, "status").returncode == 0
    client = Client(lab, "Alpha")
    assert client.wait(client.server("after-healing")) == "ACTIVE"


def test_data_survive_a_restart(lab: Lab) -> None:
    client = Client(lab, "Alpha")
    server = client.server("long-lived")
    assert client.wait(server) == "ACTIVE"
    token = client.token
    assert all(worker(cloud).alive for cloud in lab.clouds.values())
    workers = [process for cloud in lab.clouds.values() for process in haproxy.family(cloud)]
    assert lab.down() == 14
    assert all(row.state is Health.DOWN for row in lab.status())
    assert gone(workers)
    assert all(stat(process.pid) is None or not process.alive for process in workers)
    assert lab.up() is True
    # The very first request: gateways that have just started have met when the lab is up.
    assert "cirros-beta" in images(client.cloud, client.token, THERE)
    # Its token as well: the keys are the same.
    assert client.token == token
    assert client.wait(server) == "ACTIVE"
    client.ask("DELETE", f"{client.cloud.frontend('compute')}/v2.1/servers/{server}")
    assert until(lambda: server not in {each["id"] for each in client.get("compute", "/v2.1/servers")["servers"]}), (
        "the server of before the restart could not be deleted"
    )


def test_a_third_cloud_is_added_to_those_that_run(lab: Lab) -> None:
    before, workers = pids(lab), {name: worker(cloud) for name, cloud in lab.clouds.items()}
    more = Lab(lab.directory, ["Gamma"], spawn=commands.spawn)
    assert more.up(print) is True
    after = pids(more)
    assert {key: after[key] for key in before} == before
    assert list(more.clouds) == ["Alpha", "Beta", "Gamma"]
    client = Client(more, "Gamma")
    assert client.wait(client.server("in-the-third")) == "ACTIVE"
    assert set(yaml.safe_load(lab.clouds["Alpha"].gateway_config.read_text())["peers"]) == {"Beta", "Gamma"}
    # The gateways that ran before know it, and it knows them.
    assert until(lambda: "cirros-gamma" in Client(more, "Alpha").images(image="Gamma"))
    assert until(lambda: "cirros-alpha" in client.images(image="Alpha"))
    # HAProxy knows it, too, and none was started anew.
    for cloud in lab.clouds.values():
        assert until(lambda: "|127.0.53.2|8443|" in known(cloud, "peers.map").get("Gamma|image", ""))  # noqa: B023
    token, scope = login(more, "Alpha"), '{"image":"Gamma"}'
    assert until(lambda: "cirros-gamma" in images(more.clouds["Alpha"], token, scope))
    assert until(lambda: any(key.endswith(f"|file|{scope}") for key in known(more.clouds["Alpha"], "tokens.map")))
    assert {name: worker(more.clouds[name]) for name in workers} == workers


def test_env_and_logs(lab: Lab) -> None:
    shown = command(lab, "env", "Alpha-admin")
    assert f"export OS_CLIENT_CONFIG_FILE={lab.clouds_yaml}" in shown.stdout
    assert "export OS_CLOUD=Alpha-admin" in shown.stdout
    assert "none of this lab's: Alpha, Alpha-admin" in command(lab, "env", "Nope").stderr
    shown = command(lab, "logs", "--cloud", "Alpha", "-n", "1")
    assert str(lab.clouds["Alpha"].log("compute")) in shown.stdout
    assert command(lab, "logs", "--service", "nope").returncode == 1


def test_a_lab_with_gateways_only(lab: Lab) -> None:
    every = Lab(lab.directory)
    remove_gateways(every)
    line = [sys.executable, "-m", "openstackoid", "lab", "up", "--gateway-only", "--dir", str(lab.directory)]
    line += ["--address", ADDRESS, *(word for name in every.clouds for word in ("--cloud", name))]
    done = commands.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    alone = Lab(lab.directory)
    assert {row.service for row in alone.status() if row.service in {"gateway", "haproxy"}} == {"gateway"}
    for row, cloud in zip(alone.status()[:: len(alone.clouds["Alpha"].parts)], alone.clouds.values(), strict=True):
        assert row.address == cloud.frontend_host == cloud.gateway_host
    cloud = alone.clouds["Alpha"]
    assert "cirros-alpha" in images(cloud, login(alone, "Alpha"), None)
    assert until(lambda: seen(cloud) == ["Alpha"])
    refused = commands.run([*line, "--no-gateway"], capture_output=True, text=True)
    assert "not allowed with" in refused.stderr
