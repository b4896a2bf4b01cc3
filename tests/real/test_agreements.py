"""Agreements that operators make by command, while the clouds run: CloudOne and CloudThree do not know each other, and come to know each other.

Their operators use `openstackoid peer`; Alice of CloudOne uses the stock client, and reads why something is refused.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import requests
import yaml
from tests import commands

from openstackoid.lab import Lab
from openstackoid.trust import key_files

from .conftest import User
from .tools import Config, exchange, federated, reconfigure, reconfigured, until

THREE = '{"image": "CloudThree"}'
LIST = "openstack image list --os-scope image=CloudThree"


@dataclass(frozen=True)
class Operator:
    """Somebody with a shell on the machine of a cloud's gateway, on the telephone with the other one."""

    lab: Lab
    cloud: str
    other: str

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        binary = str(Path(sys.executable).parent / "openstackoid")
        command = [binary, "peer", *words, "--config", str(self.lab.clouds[self.cloud].gateway_config)]
        return commands.run(command, capture_output=True, text=True, check=False, timeout=60)

    def peer(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    def add(self, *words: str) -> None:
        there = self.lab.clouds[self.other]
        fingerprint = key_files.read(there.keys).fingerprint
        self.peer("add", there.peering, "--fingerprint", fingerprint, "--yes", "--service", "image", *words)


@pytest.fixture(scope="module")
def olga(lab: Lab) -> Operator:
    return Operator(lab, "CloudOne", "CloudThree")


@pytest.fixture(scope="module")
def otto(lab: Lab) -> Operator:
    return Operator(lab, "CloudThree", "CloudOne")


@pytest.fixture(scope="module", autouse=True)
def strangers(lab: Lab, alice: User) -> Iterator[None]:
    """What stands in the configuration no command changes: so they are taken out there."""
    both = ("CloudOne", "CloudThree")
    peers = {cloud: yaml.safe_load(lab.clouds[cloud].gateway_config.read_text())["peers"] for cloud in both}

    def without(other: str, config: Config) -> None:
        del config["peers"][other]
        # Each hears soon what the other one says; the default is half a minute.
        config["timeouts"] = {"refresh": 1}

    with reconfigured(lab, CloudOne=partial(without, "CloudThree"), CloudThree=partial(without, "CloudOne")):
        yield
        # They know each other again before other tests begin.
        for cloud in both:
            reconfigure(lab, cloud, partial(dict.update, peers=peers[cloud]))
        for user, scope in ((alice, THREE), (User(lab, "CloudThree"), '{"image": "CloudOne"}')):
            until(partial(_is_served, user, user.token(), scope))


@pytest.fixture(autouse=True)
def forgotten(alice: User, olga: Operator, otto: Operator) -> Iterator[None]:
    yield
    for operator in (olga, otto):
        operator.run("remove", operator.other)
    # A gateway has read that. If none had, users would be served under this agreement while the next test makes another one.
    token = alice.token()
    until(lambda: not _is_served(alice, token, THREE))


@pytest.fixture
def agreed(alice: User, olga: Operator, otto: Operator) -> None:
    olga.add("--allow")
    otto.add("--allow")
    token = alice.token()
    until(lambda: images(alice, token).status_code == 200)


def images(user: User, token: str, scope: str = THREE) -> requests.Response:
    headers = {"X-Auth-Token": token, "X-Scope": scope}
    return requests.get(f"{user.frontend('image')}/v2/images", headers=headers, timeout=60)


def _is_served(user: User, token: str, scope: str) -> bool:
    return images(user, token, scope).status_code == requests.codes.ok


def direct(lab: Lab, token: str) -> requests.Response:
    url = f"{lab.clouds['CloudThree'].frontend('image')}/v2/images"
    return requests.get(url, headers={"X-Auth-Token": token}, timeout=60)


def refused(answer: requests.Response, code: str, *words: str) -> bool:
    error = answer.json().get("error", {})
    return error.get("openstackoid_code") == code and all(word in error["message"] for word in words)


def test_nothing_passes_before_both_said_yes(lab: Lab, alice: User, olga: Operator, otto: Operator) -> None:
    token = alice.token()
    until(lambda: refused(images(alice, token), "cloud.unknown", "knows no cloud CloudThree"))
    olga.add()
    until(lambda: refused(images(alice, token), "agreement.missing", "proposed", "openstackoid peer allow CloudThree"))
    olga.peer("allow", "CloudThree")
    not_yet = ("CloudThree has not said yes yet", "openstackoid peer allow CloudOne")
    until(lambda: refused(images(alice, token), "agreement.missing", *not_yet))
    otto.add()
    assert refused(images(alice, token), "agreement.missing", *not_yet)
    assert refused(exchange(alice.frontend("identity"), token, "CloudThree"), "agreement.missing", *not_yet)
    done = alice.run(LIST)
    assert done.returncode == 1
    assert "CloudThree has not said yes yet" in done.stderr
    otto.peer("allow", "CloudOne")
    until(lambda: images(alice, token).status_code == 200)
    assert "cirros-cloudthree" in alice.ok(LIST)
    # The other way, as well: the agreement is one.
    other = User(lab, "CloudThree")
    token = other.token()
    until(lambda: images(other, token, '{"image": "CloudOne"}').status_code == 200)


@pytest.mark.usefixtures("agreed")
def test_who_is_suspended_is_refused_at_once(lab: Lab, alice: User, olga: Operator, otto: Operator) -> None:
    """What was minted before is worth nothing any more, either: each use asks the agreement."""
    token = alice.token()
    there = federated(alice.frontend("identity"), token, "CloudThree")
    assert direct(lab, there).status_code == 200
    otto.peer("suspend", "CloudOne")
    suspended = ("CloudThree's agreement with CloudOne is suspended", "openstackoid peer allow CloudOne")
    until(lambda: refused(direct(lab, there), "agreement.missing", *suspended))
    answer = images(alice, token)
    assert answer.status_code == 403
    assert refused(answer, "agreement.missing", "openstackoid peer allow CloudOne")
    assert "openstackoid peer allow CloudOne" in alice.run(LIST).stderr
    otto.peer("allow", "CloudOne")
    until(lambda: images(alice, token).status_code == 200)
    assert direct(lab, there).status_code == 200

    olga.peer("suspend", "CloudThree")
    until(lambda: refused(images(alice, token), "agreement.missing", "openstackoid peer allow CloudThree"))
    assert exchange(alice.frontend("identity"), token, "CloudThree").status_code == 403


@pytest.mark.usefixtures("agreed")
def test_an_agreement_that_was_removed_never_comes_back(lab: Lab, alice: User, otto: Operator) -> None:
    """One that is made anew is another one, and tokens of the old one end with it."""
    there = federated(alice.frontend("identity"), alice.token(), "CloudThree")
    assert direct(lab, there).status_code == 200
    otto.peer("remove", "CloudOne")
    until(lambda: direct(lab, there).status_code in {401, 403})
    otto.add("--allow")
    until(lambda: refused(direct(lab, there), "agreement.missing", "another agreement"))
    token = alice.token()
    until(lambda: images(alice, token).status_code == 200)


@pytest.mark.usefixtures("agreed")
@pytest.mark.parametrize("where", ["frontend", "backend"])
def test_a_revoked_token_is_minted_no_more(lab: Lab, alice: User, where: str) -> None:
    """Revoked through the gateway, or past it: every minting asks Keystone, and what was minted before is not given out again."""
    token, other = alice.token(), alice.token()
    assert images(alice, token).status_code == 200
    base = getattr(lab.clouds["CloudOne"], where)("identity")
    headers = {"X-Auth-Token": other, "X-Subject-Token": token}
    assert requests.delete(f"{base}/v3/auth/tokens", headers=headers, timeout=60).status_code == 204
    assert exchange(alice.frontend("identity"), token, "CloudThree").status_code == 401
    if where == "frontend":
        assert images(alice, token).status_code == 401
    until(lambda: images(alice, token).status_code == 401)
    assert images(alice, other).status_code == 200


@pytest.mark.usefixtures("agreed")
def test_rules_say_what_passes(alice: User, otto: Operator) -> None:
    token = alice.token()
    otto.peer("allow", "CloudOne", "--service", "none", "--rule", "GET image /v2/images")
    missing = "CloudThree's agreement with CloudOne has no rule that allows"
    created = {"X-Auth-Token": token, "X-Scope": THREE}
    url = f"{alice.frontend('image')}/v2/images"
    until(lambda: refused(requests.post(url, headers=created, json={}, timeout=60), "agreement.rule", missing))
    assert "cirros-cloudthree" in alice.ok(LIST)
    done = alice.run("openstack image create mine --os-scope image=CloudThree")
    assert done.returncode == 1
    assert f"{missing} POST image /v2/images" in done.stderr
    done = alice.run("openstack network list --os-scope network=CloudThree")
    assert f"{missing} GET network" in done.stderr
    assert "It allows something of: image." in done.stderr
