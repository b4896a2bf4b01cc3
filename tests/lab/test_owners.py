"""What a lab writes for clouds of different owners, with real files, without starting a cloud."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.loading import load
from openstackoid.lab import Lab, certificates
from openstackoid.regions.config import Config as RegionsConfig
from openstackoid.trust.grants import HOME
from openstackoid.trust.store import Store

NAMES = ("CloudOne", "CloudTwo", "CloudThree")


def written(lab: Lab) -> dict[str, Config]:
    return {name: load(cloud.gateway_config) for name, cloud in lab.clouds.items()}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = Lab(tmp_path / "lab", NAMES)
    made.directory.mkdir()
    assert made.write_clients() == list(NAMES)
    return made


def test_gateways_take_what_is_written(lab: Lab) -> None:
    configs = written(lab)
    for name, config in configs.items():
        assert config.peering is not None
        assert config.peering.url == lab.clouds[name].peering
        assert set(config.peers) == set(NAMES) - {name}
        for other, peer in config.peers.items():
            assert peer.token == "federated"
            assert peer.url == lab.clouds[other].peering
            assert peer.allow is not None
            assert peer.allow.offered == ["compute", "image", "network", "placement"]
            assert str(peer.allow.projects) == "each:default"
            assert peer.allow.roles == {"member": "member", "reader": "reader"}
            assert peer.allow.home == HOME
            assert not peer.allow.pseudonyms


def test_all_know_a_cloud_by_the_same_key_and_no_two_share_one(lab: Lab) -> None:
    known = {(other, peer.fingerprint) for config in written(lab).values() for other, peer in config.peers.items()}
    assert len(known) == len({fingerprint for _, fingerprint in known}) == len(NAMES)


def test_a_second_start_changes_nothing(lab: Lab) -> None:
    files = {path: path.read_bytes() for path in lab.directory.rglob("*") if path.is_file()}
    assert Lab(lab.directory).write_clients() == []
    assert {path: path.read_bytes() for path in lab.directory.rglob("*") if path.is_file()} == files


def test_a_new_cloud_is_made_known_to_all(lab: Lab) -> None:
    kept = {name: lab.clouds[name].keys.read_bytes() for name in NAMES}
    more = Lab(lab.directory, ["CloudFour"])
    assert more.write_clients() == ["CloudFour", *NAMES]
    assert all(config.peers.keys() == {*more.clouds} - {name} for name, config in written(more).items())
    assert {name: more.clouds[name].keys.read_bytes() for name in NAMES} == kept


def test_a_renewed_certificate_is_told(lab: Lab) -> None:
    lab.clouds["CloudTwo"].certificate.unlink()
    assert Lab(lab.directory).write_clients() == ["CloudTwo"]
    (lab.directory / "ca.crt").unlink()
    assert Lab(lab.directory).write_clients() == list(NAMES)


def test_certificates_without_a_name_are_made_anew(lab: Lab) -> None:
    """Those of labs of before: HAProxy compares names only."""
    cloud = lab.clouds["CloudOne"]
    signer = certificates.authority(lab.directory / "ca.crt", lab.directory / "ca.key", datetime.now(UTC))
    certificates.ensure(
        cloud.certificate, cloud.certificate_key, signer, "other.test", cloud.frontend_host, datetime.now(UTC)
    )
    assert Lab(lab.directory).write_clients() == ["CloudOne"]


def test_what_is_secret_is_for_its_owner_only(lab: Lab) -> None:
    secret = [lab.directory / "ca.key"]
    for cloud in lab.clouds.values():
        secret += [cloud.keys, cloud.certificate_key, cloud.trust_password]
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}
    assert lab.clouds["CloudOne"].trust_password.read_text() == lab.secrets("CloudOne").admin


@pytest.mark.parametrize(("projects", "mapped"), [("each", "each:default"), ("same", "same")])
def test_projects_and_pseudonyms_are_as_asked_for(tmp_path: Path, projects: str, mapped: str) -> None:
    lab = Lab(tmp_path, NAMES, projects=projects, pseudonyms=True)  # type: ignore[arg-type]
    lab.write_clients()
    allowed = [peer.allow for config in written(lab).values() for peer in config.peers.values()]
    assert {(str(each.projects), each.pseudonyms) for each in allowed if each} == {(mapped, True)}
    assert json.loads((tmp_path / "lab.json").read_text())["projects"] == projects


def test_clouds_of_one_owner_need_nothing_of_this(tmp_path: Path) -> None:
    lab = Lab(tmp_path, NAMES, trust="pass-through")
    lab.write_clients()
    for config in written(lab).values():
        assert (config.peering, config.trust, config.ca) == (None, None, None)
        assert {peer.token for peer in config.peers.values()} == {"pass-through"}
    assert not list(tmp_path.rglob("ca.*")) + list(tmp_path.rglob("keys.json")) + list(tmp_path.rglob("peering.*"))


def test_one_cloud_alone_is_ready_for_peers(tmp_path: Path) -> None:
    lab = Lab(tmp_path, ["Only"])
    lab.write_clients()
    assert written(lab)["Only"].peers == {}
    assert lab.clouds["Only"].keys.is_file()


def test_a_reset_leaves_nothing(lab: Lab) -> None:
    lab.reset()
    assert not lab.directory.exists()


def test_an_aggregator_and_its_providers_have_met_and_allow_nothing_by_that(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab", ["A", "P", "Q"], aggregator=True, buyer="B")
    lab.directory.mkdir()
    lab.write_clients()
    lab.write_clients()  # again: nothing is met twice
    configs = written(lab)
    assert {name for name, config in configs.items() if set(config.services) == {"identity"}} == {"A", "B"}
    known = {}
    for name, cloud in lab.clouds.items():
        assert not configs[name].peers
        peering = configs[name].peering
        assert peering is not None
        assert peering.regions == cloud.regions_peers
        store = Store(f"sqlite:///{cloud.database('trust')}")
        agreements = store.agreements()
        store.close()
        assert all(agreement.active and not agreement.grant.offered for agreement in agreements)
        known[name] = [agreement.peer for agreement in agreements]
        plane = yaml.safe_load(cloud.regions_config.read_text())
        assert ("aggregator" in plane) is (name in {"A", "B"})
        assert "provider" in plane
        assert RegionsConfig.model_validate(plane).cloud == name
    assert known == {"A": ["B", "P", "Q"], "P": ["A"], "Q": ["A"], "B": ["A"]}
    entries = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]
    assert ("region_name" in entries["A"], "region_name" in entries["P"]) == (False, True)
