"""What the lab writes for services, gateways and clients, without starting them."""

import configparser
from pathlib import Path

from openstackoid.lab import clients, config
from openstackoid.lab.layout import plan
from openstackoid.lab.service_types import KNOWN
from openstackoid.lab.state import ACCOUNTS

CLOUDS = plan(Path("/lab"), ["CloudOne", "CloudTwo", "CloudThree"], "127.0.1.0", with_volumes=True)
CLOUD = CLOUDS["CloudOne"]
SECRETS = config.Secrets("admin-pw", "member-pw", dict.fromkeys(ACCOUNTS, "pw"), "m")


def parsed(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.read_string(config.files(CLOUD, SECRETS, Path("/env"))[name])
    return parser


def test_services_ask_each_other_through_the_gateway_only() -> None:
    for name, text in config.files(CLOUD, SECRETS, Path("/env")).items():
        urls = [line for line in text.splitlines() if "127.0.1." in line]
        backend = [line for line in urls if "127.0.1.1" in line]
        # Where a service is itself, not where it asks.
        assert all(line.startswith(("my_ip", "worker_self_reference_url")) for line in backend), name


def test_service_tokens_are_as_in_production() -> None:
    for name in ("nova.conf", "glance-api.conf", "neutron.conf", "placement.conf", "cinder.conf"):
        checks = parsed(name)["keystone_authtoken"]
        assert checks["service_token_roles_required"] == "true"
        assert checks["service_token_roles"] == "service"
        assert checks["service_type"]
        assert checks["auth_url"] == checks["www_authenticate_uri"] == "http://127.0.1.2:5000/v3"
    assert parsed("nova.conf")["service_user"]["send_service_user_token"] == "true"


def test_forwarded_headers_are_believed() -> None:
    for name in config.files(CLOUD, SECRETS, Path("/env")):
        assert parsed(name)["oslo_middleware"]["enable_proxy_headers_parsing"] == "true"


def test_a_cloud_has_block_storage_if_the_lab_has_and_no_configuration_of_it_otherwise() -> None:
    (without,) = plan(Path("/lab"), ["CloudOne"], "127.0.1.0").values()
    assert "cinder.conf" not in config.files(without, SECRETS, Path("/env"))
    assert "block-storage" not in clients.gateway(without, {}, None)["services"]
    terms = clients.Terms(dict.fromkeys(CLOUDS, "fingerprint"))
    written = clients.gateway(CLOUD, CLOUDS, terms)
    assert written["services"]["block-storage"]["endpoint"] == "http://127.0.1.2:8776/v3/%(project_id)s"
    assert "block-storage" in written["peers"]["CloudTwo"]["allow"]["services"]
    clouds = plan(Path("/lab"), ["A", "P"], "127.0.1.0", aggregator=True, with_volumes=True)
    assert [cloud.kinds for cloud in clouds.values()] == [("identity",), tuple(KNOWN)]


def test_values_are_not_taken_for_references() -> None:
    assert config.render({"a": {"password": "x$y", "flag": True, "none": None}}) == (
        "[a]\npassword = x$$y\nflag = true\nnone =\n"
    )


def test_a_gateway_knows_all_other_clouds() -> None:
    written = clients.gateway(CLOUD, CLOUDS, None)
    assert written["services"]["compute"] == {
        "frontend": "http://127.0.1.2:8774",
        "backend": "http://127.0.1.1:8774",
        "endpoint": "http://127.0.1.2:8774/v2.1",
    }
    assert written["peers"] == {
        "CloudTwo": {"url": "http://127.0.2.2:5000", "token": "pass-through"},
        "CloudThree": {"url": "http://127.0.3.2:5000", "token": "pass-through"},
    }
    assert written["scopes"]["images-from-CloudTwo"] == {"image": "CloudTwo"}
    assert written["operations"]["keys"] == str(CLOUD.operations_keys)
    assert not written.keys() & {"peering", "trust", "ca"}


def test_a_gateway_stands_behind_haproxy_or_alone() -> None:
    fast = clients.gateway(CLOUD, CLOUDS, None)
    assert fast["haproxy"] == {"gateway": "127.0.1.3", "directory": "/lab/CloudOne/haproxy", "threads": 1}
    alone = plan(Path("/lab"), ["CloudOne"], "127.0.1.0", with_haproxy=False, with_volumes=True)
    written = clients.gateway(alone["CloudOne"], alone, None)
    assert "haproxy" not in written
    assert written["services"] == fast["services"]


def test_a_gateway_meets_clouds_of_other_owners_at_their_doors() -> None:
    terms = clients.Terms({name: name[-1] * 43 for name in CLOUDS}, "same", pseudonyms=True)
    written = clients.gateway(CLOUD, CLOUDS, terms)
    assert written["peering"]["url"] == "https://127.0.1.2:8443"
    assert written["trust"]["account"]["auth_url"] == "http://127.0.1.1:5000/v3"
    assert {name: (peer["url"], peer["fingerprint"]) for name, peer in written["peers"].items()} == {
        "CloudTwo": ("https://127.0.2.2:8443", "o" * 43),
        "CloudThree": ("https://127.0.3.2:8443", "e" * 43),
    }
    assert written["peers"]["CloudTwo"]["tls_name"] == CLOUDS["CloudTwo"].certificate_name
    allowed = written["peers"]["CloudTwo"]["allow"]
    assert "identity" not in allowed["services"]
    assert (allowed["projects"], allowed["pseudonyms"]) == ("same", True)


def test_clouds_yaml_has_a_member_and_an_admin_for_each() -> None:
    entries = clients.clouds_yaml(CLOUDS, dict.fromkeys(CLOUDS, SECRETS))["clouds"]
    assert set(entries) == {name + suffix for name in CLOUDS for suffix in ("", "-admin")}
    assert entries["CloudTwo"]["auth"]["auth_url"] == "http://127.0.2.2:5000/v3"
    assert (entries["CloudTwo"]["auth"]["username"], entries["CloudTwo"]["auth"]["password"]) == ("alice", "member-pw")
    assert entries["CloudTwo-admin"]["auth"]["password"] == "admin-pw"
