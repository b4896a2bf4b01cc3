"""`openstackoid doctor`: what is wrong with a gateway and what it depends on, and what to do about it. Two clouds of two owners, fake at the wire."""

import dataclasses
import email.utils
import io
import json
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.gateway.conftest import federated
from tests.gateway.owners import PASSWORD, Owner
from tests.gateway.test_regions import contract, in_use
from tests.gateway.wire import Gateway, nobody, reply, until

from openstackoid.cli import main
from openstackoid.operators.doctor.finding import Result
from openstackoid.operators.doctor.web import clock
from openstackoid.trust import key_files
from openstackoid.trust.contracts import ContractSide
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store

IMAGES = {"services": ["image"], "projects": "each:default"}


@dataclass
class Clinic:
    """CloudOne, whose gateway is examined, and its peer CloudTwo."""

    one: Owner
    two: Owner
    gateway: Gateway

    def examine(self, changes: dict[str, Any] | None = None) -> tuple[int, dict[str, dict[str, Any]]]:
        """Exit code, and the findings by their checks, of a configuration with changes."""
        file = self.one.folder / "examined.yaml"
        config = self.gateway.config | {"region": "R"} | (changes or {})
        file.write_text(json.dumps(config))
        out = io.StringIO()
        with redirect_stdout(out):
            code = main(["doctor", "--config", str(file), "-f", "json"])
        assert PASSWORD not in out.getvalue()
        return code, {finding["check"]: finding for finding in json.loads(out.getvalue())}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("doctor")
    one, two = Owner("CloudOne", folder / "one"), Owner("CloudTwo", folder / "two")
    peers = {one: {"peers": {"CloudTwo": two.entry(IMAGES)}}, two: {"peers": {"CloudOne": one.entry(IMAGES)}}}
    with federated(peers) as started:
        made = Clinic(one, two, started[one])
        until(lambda: one.known(started[one])["CloudTwo"].get("agreement", {}).get("theirs") == "active")
        yield made


def test_a_gateway_that_is_well(clinic: Clinic) -> None:
    def well() -> dict[str, dict[str, Any]]:
        code, findings = clinic.examine()
        ill = [each for each in findings.values() if each["result"] not in {"ok", "skipped"}]
        assert code == int(any(each["result"] == "failed" for each in ill))
        return {} if ill else findings

    found = until(well, 120)  # on a busy machine a loop of the gateway may be late for once
    for check in (
        "configuration",
        "keys",
        "database",
        "Keystone",
        "trust.account",
        "projects in default",
        "catalog: image",
    ):
        assert found[check]["result"] == "ok", check
    for check in (f"frontend {clinic.one.frontends['image']}", f"peering {clinic.one.peering}", "health: agreements"):
        assert found[check]["result"] == "ok", check
    assert found["peer CloudTwo"]["result"] == "ok"
    assert found["peer CloudTwo: agreement"]["detail"] == "active on both sides"


def test_a_configuration_that_the_gateway_refuses(clinic: Clinic) -> None:
    code, found = clinic.examine({"admin": {"listen": "192.0.2.1:8700"}})
    assert code == 1
    assert found["configuration"]["result"] == "failed"
    assert "cannot listen at 192.0.2.1:8700" in found["configuration"]["detail"]
    assert set(found) == {"configuration", "all else"}


def test_a_table_for_people(clinic: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    clinic.examine()
    assert main(["doctor", "--config", str(clinic.one.folder / "examined.yaml")]) in {0, 1}
    told = capsys.readouterr().out
    assert "| Check " in told
    assert "| Remedy" in told
    assert clinic.one.keys.fingerprint in told


def test_keystone_that_refuses_the_account(clinic: Clinic) -> None:
    (clinic.one.folder / "wrong").write_text("wrong")
    account = clinic.gateway.config["trust"]["account"] | {"password_file": "wrong"}
    code, found = clinic.examine({"trust": clinic.gateway.config["trust"] | {"account": account}})
    assert code == 1
    assert found["trust.account"]["result"] == "failed"
    assert "trust.account.username" in found["trust.account"]["remedy"]
    assert found["catalog"]["result"] == "skipped"


def test_no_account_for_projects(clinic: Clinic) -> None:
    trust = {key: value for key, value in clinic.gateway.config["trust"].items() if key != "account"}
    code, found = clinic.examine({"trust": trust})
    assert (code, found["trust.account"]["result"]) == (1, "failed")
    assert "projects in default" in found["trust.account"]["detail"]


def test_keystone_that_is_away_or_something_else(clinic: Clinic) -> None:
    services = clinic.gateway.config["services"]
    with nobody() as port:
        identity = services["identity"] | {"backend": f"http://127.0.0.1:{port}"}
        code, found = clinic.examine({"services": services | {"identity": identity}})
    assert (code, found["Keystone"]["result"]) == (1, "failed")
    assert "Connection refused" in found["Keystone"]["detail"]
    assert "Start Keystone" in found["Keystone"]["remedy"]


def test_clocks(clinic: Clinic) -> None:
    def dated(ahead: float) -> bytes:
        return reply(300, {"versions": {}}, {"Date": email.utils.formatdate(time.time() + ahead, usegmt=True)})

    keystone = clinic.one["identity"]
    default = keystone.default
    try:
        for ahead, result in ((0, "ok"), (12, "warning"), (-3600, "failed")):
            keystone.default = lambda _seen, _sock, ahead=ahead: dated(ahead)  # type: ignore[misc]
            _, found = clinic.examine()
            assert found["Keystone's clock"]["result"] == result, found["Keystone's clock"]
    finally:
        keystone.default = default
    assert "chronyc" in str(found["Keystone's clock"]["remedy"])
    ill = clock("clock", -40.0, 30.0)
    assert ill is not None
    assert (ill.result, ill.detail) == (
        Result.FAILED,
        "its clock is 40 s behind this machine's; tokens are refused from 30 s on",
    )
    assert clock("clock", None, 30.0) is None


def test_a_catalog_that_leads_around_the_gateway(clinic: Clinic) -> None:
    services = clinic.gateway.config["services"]
    elsewhere = services["image"] | {"frontend": "http://127.0.0.1:9", "listen": services["image"]["frontend"][7:]}
    code, found = clinic.examine({"services": services | {"image": elsewhere}})
    assert (code, found["catalog: image"]["result"]) == (1, "failed")
    assert "around the gateway" in found["catalog: image"]["detail"]
    assert found["catalog: image"]["remedy"] == "openstack endpoint set --url http://127.0.0.1:9 image"
    assert found["frontend http://127.0.0.1:9"]["result"] == "failed"
    assert clinic.examine({"region": "S"})[1]["catalog: image"]["detail"] == "no public endpoint in S"


def test_certificates_that_end(clinic: Clinic) -> None:
    folder, services = clinic.one.folder, clinic.gateway.config["services"]
    for days, result in ((-1, "failed"), (3, "warning"), (300, "ok")):
        now = datetime.now(UTC)
        issued = trustme.CA().issue_cert("one.example", not_before=now - timedelta(9), not_after=now + timedelta(days))
        issued.private_key_pem.write_to_path(folder / "tls.key")
        issued.cert_chain_pems[0].write_to_path(folder / "tls.crt")
        tls = {"certificate": "tls.crt", "key": "tls.key"}
        found = clinic.examine({"tls": tls, "services": services})[1]["tls.certificate"]
        assert found["result"] == result
    assert found["remedy"] is None


def test_a_database_without_tables_is_said_and_left_as_it_is(clinic: Clinic) -> None:
    file = clinic.one.folder / "empty.sqlite"
    file.touch()
    trust = clinic.gateway.config["trust"] | {"database": "sqlite:///empty.sqlite"}
    code, found = clinic.examine({"trust": trust})
    assert (code, found["database"]["result"]) == (1, "failed")
    assert "openstackoid database upgrade" in found["database"]["remedy"]
    assert file.read_bytes() == b""


def test_peers_that_are_away_or_others(clinic: Clinic) -> None:
    two, peers = clinic.gateway.config["peers"]["CloudTwo"], clinic.gateway.config["peers"]
    other = key_files.create(clinic.one.folder / "other.json").fingerprint
    with nobody() as port:
        away = two | {"url": f"http://127.0.0.1:{port}"}
        code, found = clinic.examine(
            {"peers": peers | {"Away": away, "CloudTwo": two | {"fingerprint": other}, "CloudX": two}}
        )
    assert code == 1
    assert found["peer Away"]["detail"].endswith("Connection refused")
    assert "was endorsed by it" in found["peer CloudTwo"]["detail"]
    assert "openstackoid peer trust CloudTwo" in found["peer CloudTwo"]["remedy"]
    assert "expected CloudX, got 'CloudTwo'" in found["peer CloudX"]["detail"]


def test_a_peer_whose_side_is_not_allowed(clinic: Clinic) -> None:
    store = Store(f"sqlite:///{clinic.one.folder / 'proposed.sqlite'}")
    store.upgrade()
    store.add("CloudTwo", clinic.two.peering, clinic.two.keys.fingerprint, Grant(services=("image",)), "olga")
    store.close()
    trust = clinic.gateway.config["trust"] | {"database": "sqlite:///proposed.sqlite"}
    _, found = clinic.examine({"trust": trust, "peers": {}})
    agreement = found["peer CloudTwo: agreement"]
    assert (agreement["result"], agreement["remedy"]) == ("warning", "openstackoid peer allow CloudTwo")


def test_the_account_for_quotas(clinic: Clinic) -> None:
    """Each service that counts for a contract's quota is asked with the account, and told nothing."""
    trust = clinic.gateway.config["trust"]
    other = {"trust": trust | {"quota_account": trust["account"] | {"username": "olga"}}}
    sold = dataclasses.replace(contract("CloudTwo", ContractSide.PROVIDER), quota={"cores": 4, "ports": 10})
    compute, network = clinic.one["compute"], clinic.one["network"]
    compute.on("/v2.1/servers/detail", lambda _seen, _sock: reply(200, {"servers": []}))
    network.on("/v2.0/quotas/", lambda _seen, _sock: reply(403, {"NeutronError": {}}))
    with in_use(clinic.one, sold):
        code, findings = clinic.examine(other)
        assert (code, findings["trust.quota_account"]["result"]) == (1, "ok")
        assert findings["trust.quota_account: compute"]["result"] == "ok"
        refused = findings["trust.quota_account: network"]
        assert (refused["result"], "status 403" in refused["detail"]) == ("failed", True)
        assert refused["remedy"] == "openstack role add --user olga --project PROJECT admin"
        assert not any("image" in check for check in findings if check.startswith("trust.quota_account"))
        # Without an account of its own, the other one counts.
        network.on("/v2.0/quotas/", lambda _seen, _sock: reply(200, {"quota": {}}))
        assert clinic.examine()[1]["trust.account: network"]["result"] == "ok"
        none = {"trust": {key: value for key, value in trust.items() if key != "account"}}
        assert "quotas of compute, network" in clinic.examine(none)[1]["trust.quota_account"]["detail"]
    assert {seen.method for seen in (*compute.all("/v2.1/servers"), *network.all("/v2.0/quotas"))} == {"GET"}
    wrong = trust["account"] | {"password_file": "wrong"}
    (clinic.one.folder / "wrong").write_text("wrong")
    findings = clinic.examine({"trust": trust | {"quota_account": wrong}})[1]
    assert "trust.quota_account.username" in findings["trust.quota_account"]["remedy"]


def test_a_contract_beside_pass_through(clinic: Clinic) -> None:
    bound = contract("CloudThree", ContractSide.CONSUMER, "V1")
    passing = {"CloudThree": {"url": clinic.two.frontends["identity"], "token": "pass-through"}}
    with in_use(clinic.one, bound):
        code, findings = clinic.examine({"peers": clinic.gateway.config["peers"] | passing})
        assert (code, findings[f"contract {bound.id}"]["result"]) == (1, "failed")
        assert "peers.CloudThree.token" in findings[f"contract {bound.id}"]["remedy"]
        assert f"contract {bound.id}" not in clinic.examine()[1]


def test_a_contract_under_which_own_tokens_cross(clinic: Clinic) -> None:
    bound = dataclasses.replace(contract("CloudThree", ContractSide.CONSUMER, "V1"), pass_through=True)
    with in_use(clinic.one, bound):
        code, findings = clinic.examine()
        assert (code, findings[f"contract {bound.id}"]["result"]) == (1, "failed")
        assert "CloudThree to trust.one_owner" in findings[f"contract {bound.id}"]["remedy"]
        known = {"trust": clinic.gateway.config["trust"] | {"one_owner": ["CloudThree"]}}
        assert f"contract {bound.id}" not in clinic.examine(known)[1]


def test_haproxy_that_does_not_run(clinic: Clinic, tmp_path: Path) -> None:
    haproxy = {"gateway": "127.77.77.77", "directory": str(tmp_path)}
    code, found = clinic.examine({"haproxy": haproxy})
    assert (code, found["HAProxy"]["result"]) == (1, "failed")
    assert "systemctl start openstackoid-haproxy" in found["HAProxy"]["remedy"]


def test_a_load_balancer_that_leads_elsewhere(clinic: Clinic) -> None:
    peering = {"url": clinic.two.peering, "listen": "127.0.0.1:9"}
    _, found = clinic.examine({"peering": peering})
    assert found[f"peering {clinic.two.peering}"]["detail"] == "expected CloudOne's gateway, got CloudTwo's gateway"
