"""Files that operators copy: they can be read, they fit together, and HAProxy takes what is made of them."""

import configparser
import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from openstackoid.cli import main
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.loading import load
from openstackoid.lab import certificates

from .conftest import DEPLOY, HERE, ROLE

GATEWAYS = sorted(DEPLOY.glob("*/gateway*.yaml"))
UNITS = ("openstackoid-gateway.service", "openstackoid-haproxy.service")  # the role's
ALL_UNITS = sorted(each.name for each in DEPLOY.glob("systemd/*.service"))
# kolla's and OpenStack-Ansible's names for services.
KOLLA = {
    "identity": "keystone", "image": "glance", "compute": "nova", "placement": "placement", "network": "neutron",
    "block-storage": "cinder", "orchestration": "heat", "cloudformation": "heat_cfn", "key-manager": "barbican",
    "load-balancer": "octavia", "dns": "designate", "container-infrastructure-management": "magnum",
    "shared-file-system": "manila",
}  # fmt: skip


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def rendered(value: Any, **variables: Any) -> Any:
    """Templates in a file of variables, as Ansible puts values in."""
    if isinstance(value, dict):
        return {key: rendered(each, **variables) for key, each in value.items()}
    if isinstance(value, list):
        return [rendered(each, **variables) for each in value]
    if isinstance(value, str) and "{{" in value:
        environment = Environment(undefined=StrictUndefined, autoescape=False)
        environment.filters["combine"] = lambda one, other: one | other
        whole = re.fullmatch(r"\{\{(.*)\}\}", value)
        if whole and value.count("{{") == 1:
            return rendered(environment.compile_expression(whole[1], undefined_to_none=False)(**variables), **variables)
        return environment.from_string(value).render(**variables)
    return value


@pytest.mark.parametrize(
    "path",
    sorted([*DEPLOY.rglob("*.yml"), *DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.service")]),
    ids=lambda path: str(path.relative_to(DEPLOY)),
)
def test_every_file_can_be_read(path: Path) -> None:
    if path.suffix == ".service":
        unit = configparser.RawConfigParser(strict=False)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(path.read_text())
        assert unit.sections() == ["Unit", "Service", "Install"]
    else:
        assert read(path)


@pytest.mark.parametrize("name", UNITS)
def test_units_are_what_the_role_writes_by_default(name: str) -> None:
    variables = read(ROLE / "defaults" / "main.yml") | {"openstackoid_workers": 2}
    for key, value in {**variables, **read(ROLE / "vars" / "main.yml")}.items():
        if key in variables or key in {"openstackoid__program", "openstackoid__file", "openstackoid__haproxy_dir"}:
            variables[key] = rendered(value, **variables)
    variables["openstackoid__stop"] = 45
    template = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True).from_string(
        (ROLE / "templates" / f"{name}.j2").read_text()
    )
    assert (DEPLOY / "systemd" / name).read_text() == template.render(**variables)


@pytest.mark.parametrize("name", ALL_UNITS)
def test_systemd_takes_the_units(name: str, tmp_path: Path) -> None:
    """`verify` wants the programs to be there; and `security` rates what they may do: 0 is nothing, 10 everything."""
    if not shutil.which("systemd-analyze"):
        pytest.fail("expected systemd-analyze: apt-get install systemd")
    program = Path(sys.executable).with_name("openstackoid")
    for each in ALL_UNITS:
        text = (DEPLOY / "systemd" / each).read_text().replace("/opt/openstackoid/bin/openstackoid", str(program))
        (tmp_path / each).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=yes", "--man=no", tmp_path / name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "openstackoid" in line]
    assert said == []
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=25", tmp_path / name],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "SYSTEMD_PAGER": ""},
    )  # fmt: skip
    assert rated.returncode == 0, rated.stdout[-300:] + rated.stderr


def test_every_variable_of_the_role_is_told_and_checked() -> None:
    known = read(ROLE / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    told = (ROLE / "defaults" / "main.yml").read_text()
    assert sorted(known) == sorted(set(re.findall(r"^(?:# )?(openstackoid_\w+):", told, re.MULTILINE)))
    assert all(option["description"] for option in known.values())
    assert set(read(DEPLOY / "ansible" / "inventory.example.yml")["openstackoid"]["vars"]) <= set(known)


@pytest.mark.parametrize("path", GATEWAYS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_gateways_are_taken_by_the_gateway_and_by_haproxy(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = read(path)
    signer = certificates.authority(tmp_path / "ca.crt", tmp_path / "ca.key", datetime.now(UTC))
    certificates.ensure(
        tmp_path / "tls.crt", tmp_path / "tls.key", signer, "api.cloud.example", "10.0.0.2", datetime.now(UTC)
    )
    # The only differences: where files are, and names that no server here knows.
    text = path.read_text().replace("/etc/openstackoid/", "").replace("https://cloud.example", "https://localhost")
    text = text.replace("/var/lib/openstackoid/haproxy", str(tmp_path / "haproxy"))
    text = text.replace("/var/log/openstackoid", str(tmp_path))
    (tmp_path / "gateway.yaml").write_text(text)
    loaded = load(tmp_path / "gateway.yaml")
    assert list(loaded.services) == list(document["services"])
    assert all(service_type(kind) == kind for kind in loaded.services)
    where = ["--config", str(tmp_path / "gateway.yaml")]
    assert main(["gateway", "check", *where]) == 0
    assert main(["haproxy", "check", *where]) == 0
    told = capsys.readouterr().out
    assert "Configuration file is valid" in told
    assert "Through the gateway always" not in told, "all can go the fast way"
    assert main(["haproxy", "render", *where]) == 0
    wanted = {service["frontend"].rpartition(":")[2] for service in document["services"].values()}
    made = (tmp_path / "haproxy" / "haproxy.cfg").read_text()
    assert set(re.findall(r"^  bind [\d.]+:(\d+)", made, re.MULTILINE)) == wanted


@pytest.mark.parametrize("name", ["gateway.yaml", "gateway-tls.yaml"])
def test_kolla_endpoints_lead_to_the_gateway_and_nowhere_else(name: str) -> None:
    services = read(DEPLOY / "kolla-ansible" / name)["services"]
    variables = read(DEPLOY / "kolla-ansible" / "globals.d" / "openstackoid.yml")
    where = variables.pop("openstackoid_fqdn")
    assert set(variables) == {f"{KOLLA[kind]}_{side}_fqdn" for kind in services for side in ("internal", "external")}
    assert set(rendered(variables, openstackoid_fqdn=where).values()) == {where}
    hosts = {urlsplit(service["frontend"]).hostname for service in services.values()}
    assert hosts == ({where} if name == "gateway.yaml" else {"api.cloud.example"})
    behind = {urlsplit(service["backend"]).hostname for service in services.values()}
    assert not behind & hosts, "kolla's own address stays behind"
    assert all(
        service["backend"].rpartition(":")[2] == service["frontend"].rpartition(":")[2] for service in services.values()
    )


def test_kolla_s_haproxy_can_be_closed(tmp_path: Path) -> None:
    """kolla puts these lines into each frontend (its template haproxy_single_service_split.cfg.j2)."""
    variables = read(DEPLOY / "kolla-ansible" / "globals.d" / "openstackoid-closed.yml")
    lines = rendered(variables["haproxy_frontend_http_extra"], **variables)
    ports = set(re.findall(r"\d+", re.findall(r"dst_port ([\d ]+)", lines[-1])[0]))
    services = read(DEPLOY / "kolla-ansible" / "gateway.yaml")["services"].values()
    assert ports == {service["backend"].rpartition(":")[2] for service in services}
    checked(
        tmp_path,
        ["frontend keystone_internal_front", "  mode http", *(f"  {line}" for line in lines), "  bind 127.0.0.1:5000",
         "  default_backend keystone_internal_back", "backend keystone_internal_back", "  mode http", "  server one 127.0.0.1:5001"],
    )  # fmt: skip


def test_openstack_ansible_s_haproxy_stands_before_and_behind(tmp_path: Path) -> None:
    """Each service has a frontend for users, whose only server is the gateway, and one behind the gateway."""
    services = read(DEPLOY / "openstack-ansible" / "gateway.yaml")["services"]
    variables = read(DEPLOY / "openstack-ansible" / "user_openstackoid.yml")
    vips = {"internal_lb_vip_address": "172.29.236.9", "external_lb_vip_address": "192.0.2.9", "haproxy_ssl": True}
    address = variables["openstackoid_address"]
    found = rendered(variables, **variables, **vips)
    before = {each["haproxy_service_name"]: each for each in found["haproxy_extra_services"]}
    assert set(before) == {f"openstackoid_{kind}" for kind in services}
    text = ["frontend users", "  mode http", "  bind 127.0.0.1:5000"]
    for kind, service in services.items():
        each = before[f"openstackoid_{kind}"]
        port = str(each["haproxy_port"])
        assert (each["haproxy_bind"], each["haproxy_ssl"]) == (["192.0.2.9"], True)
        assert each["haproxy_backend_nodes"] == [{"name": "openstackoid", "ip_addr": address}]
        assert service["listen"] == f"{address}:{port}"
        assert service["frontend"] == f"https://cloud.example:{port}"
        assert service["backend"] == f"http://172.29.236.9:{port}"
        assert service["endpoint"].startswith(f"http://{address}:{port}")
        text += [
            f"backend openstackoid_{kind}-back", "  mode http",
            *(f"  option {option}" for option in each["haproxy_backend_options"]), f"  server openstackoid {address}:{port} check",
        ]  # fmt: skip
    checked(tmp_path, text)
    behind = [value for name, value in found.items() if name.endswith("_overrides")]
    assert behind == [{"haproxy_bind": ["172.29.236.9"], "haproxy_ssl": False}] * len(services)
    internal = {urlsplit(value).port for name, value in found.items() if re.search(r"_internalur[il]$", name)}
    admin = {urlsplit(value).port for name, value in found.items() if re.search(r"_adminur[il]$", name)}
    assert internal == admin == {int(service["listen"].rpartition(":")[2]) for service in services.values()}


def test_pages_name_files_and_variables_that_there_are() -> None:
    known = read(ROLE / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    for page in ("deploy.md", "kolla-ansible.md", "openstack-ansible.md"):
        text = (HERE / "docs" / "how-to" / page).read_text()
        for path in re.findall(r"`(deploy/[\w./-]+)`", text):
            assert (HERE / path).exists(), f"{page}: {path}"
        if page == "deploy.md":
            assert set(re.findall(r"\bopenstackoid_[a-z]\w*", text)) <= set(known)


def checked(folder: Path, lines: list[str]) -> None:
    """HAProxy takes it."""
    file = folder / "haproxy.cfg"
    defaults = ["defaults", "  timeout connect 1s", "  timeout client 1s", "  timeout server 1s"]
    file.write_text("\n".join([*defaults, *lines]) + "\n")
    done = subprocess.run(["haproxy", "-c", "-f", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ansible_shows_what_the_role_takes() -> None:
    program = Path(sys.executable).with_name("ansible-doc")
    done = subprocess.run(
        [program, "-t", "role", "-j", "-r", ROLE.parent, ROLE.name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    options = json.loads(done.stdout)[ROLE.name]["entry_points"]["main"]["options"]
    assert set(options) == set(read(ROLE / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"])


def test_machines_take_turns() -> None:
    (play,) = read(ROLE.parents[1] / "playbook.yml")
    assert (play["serial"], play["any_errors_fatal"]) == (1, True)
