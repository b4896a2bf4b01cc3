"""One whole configuration of HAProxy, to read: a change of the rules shows there as HAProxy will see it.

Two services by path behind TLS, identity at an address of its own, and a listener for other clouds. After a change of the rules:

    OPENSTACKOID_GOLDEN=write python -m pytest tests/haproxy/test_golden.py
"""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.haproxy.world import HAPROXY

from openstackoid.gateway.settings.sections import Haproxy
from openstackoid.haproxy.plan import Front, Images, Plan, Service
from openstackoid.haproxy.render import files, render

GOLDEN = Path(__file__).parent / "golden" / "haproxy.cfg"
DIRECTORY = Path("/var/lib/openstackoid/haproxy")


def plan(directory: Path = DIRECTORY) -> Plan:
    """Two services by path behind one address with TLS, the third at an address of its own; and a door for other clouds."""

    def service(kind: str, prefix: str, port: int) -> Service:
        return Service(kind, prefix, f"10.0.0.1:{port}", tls=False, https=bool(prefix), direct=True)

    users = Front(
        "192.0.2.1:443",
        directory / "front.pem",
        (service("image", "/image", 9292), service("compute", "/compute", 8774)),
    )
    # Behind a proxy that ends TLS for users; services call it by the address.
    by_proxy = replace(service("identity", "", 5000), https=True, inside=("192.0.2.1:5000", "inside.example:5000"))
    identity = Front("192.0.2.1:5000", None, (by_proxy,))
    images = Images("/image", "", "10.0.0.1:9292", tls=False, https=True, checked=True)
    peers = Front("192.0.2.1:8443", directory / "peering.pem", (), images)
    return Plan(
        "CloudOne",
        (users, identity, peers),
        "127.0.0.3",
        directory,
        directory / "ca.pem",
        connect=5,
        idle=600,
        threads=4,
    )


def test_the_configuration_is_the_golden_one() -> None:
    wanted = render(plan())
    if os.environ.get("OPENSTACKOID_GOLDEN") == "write":
        GOLDEN.write_text(wanted)
    assert GOLDEN.read_text() == wanted


def test_every_variable_is_explained_and_assignments_are_called_so() -> None:
    """In the file itself: each variable in the table at its head; a condition that assigns one is called so."""
    text = render(plan())
    head = text.partition("\nglobal\n")[0]
    for variable in set(re.findall(r"(?:txn|sess)[.][a-z]+", text)):
        assert variable in head, variable
    # A name says what it assigns; one that assigns says so.
    for name, expression in re.findall(r"^  acl (\S+) (.*)$", text, re.MULTILINE):
        if name != "has_session_id":  # reads it, or makes it
            assert name.startswith("set_") == ("set-var(" in expression), name


@pytest.mark.parametrize("gateway", ["127.0.0.3", "[::1]"])
def test_haproxy_takes_it(tmp_path: Path, gateway: str) -> None:
    """But for the certificates, which are read as well."""
    made = replace(plan(tmp_path), gateway=gateway)
    bare = replace(made, fronts=tuple(replace(front, certificate=None) for front in made.fronts), ca=None)
    for name, text in files(bare).items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [HAPROXY, "-c", "-f", str(tmp_path / "haproxy.cfg")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@pytest.mark.parametrize(
    ("given", "host"),
    [("::1", "[::1]"), ("[::1]", "[::1]"), ("127.0.0.3", "127.0.0.3"), ("inner.example", "inner.example")],
)
def test_the_gateways_host_may_be_an_ipv6_address(given: str, host: str) -> None:
    """It passed the check, and the gateway could not listen there."""
    assert Haproxy(gateway=given).gateway == host


@pytest.mark.parametrize("given", ["", "127.0.0.3:80", "[::1]:80", "a b", "::x", "http://x"])
def test_what_is_no_host_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="expected a host or an address"):
        Haproxy(gateway=given)
