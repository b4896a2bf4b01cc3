"""Health of a gateway, part by part, and the metrics that are computed from its state."""

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.api.health import Health, Status, health
from openstackoid.gateway.settings.certificates import certificate_ends
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.telemetry import metrics
from openstackoid.gateway.telemetry.gauges import State
from openstackoid.trust.keys import fresh_keys

DAY = 86400


def judged(state: State, audit: str | None = None, **loops: float) -> Health:
    return health(state, stale_after=60, audit=audit, loops=loops)


@pytest.mark.parametrize(
    ("state", "part", "status", "detail"),
    [
        (State("One", agreements_age=0.5), "agreements", Status.OK, None),
        (State("One", agreements_age=20), "agreements", Status.DEGRADED, "the database was last read 20 s ago"),
        (State("One", agreements_age=61), "agreements", Status.FAILED, "federated requests get 503"),
        (State("One", certificate_ends={"tls.certificate": time.time() + DAY}), "certificates", Status.OK, None),
        (State("One", certificate_ends={"tls.certificate": 1}), "certificates", Status.DEGRADED, "ended: tls.certificate"),
        (State("One"), "audit", Status.OK, None),
        (State("One"), "loops", Status.OK, None),
    ],
)  # fmt: skip
def test_each_part(state: State, part: str, status: Status, detail: str | None) -> None:
    found = judged(state, agreements=1)
    assert found.status is found.parts[part].status is status
    assert detail in (found.parts[part].detail, None) or detail in str(found.parts[part].detail)
    assert found.ready is (status is not Status.FAILED)


def test_a_loop_and_the_audit() -> None:
    found = judged(State("One"), "No space left on device", peers=61, agreements=1)
    assert found.to_json() == {
        "status": "degraded",
        "parts": {
            "audit": {"status": "degraded", "detail": "it cannot be written: No space left on device"},
            "loops": {"status": "degraded", "detail": "peers last worked 61 s ago"},
        },
    }


def samples(state: State) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(metrics.text(state).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_metrics_of_the_state() -> None:
    keys, now = fresh_keys(1000), int(time.time())
    ring = keys.rotated(now)
    old, new = ring.signing
    state = State("One", {"Two": True, "Three": False}, {"tls.certificate": 2e9}, ring.listed(), 0.25)
    found = samples(state)
    assert found["openstackoid_peer_up{peer=Two}"] == 1
    assert found["openstackoid_peer_up{peer=Three}"] == 0
    assert found["openstackoid_certificate_expiry_timestamp_seconds{key=tls.certificate}"] == 2e9
    assert found["openstackoid_agreements_age_seconds{}"] == 0.25
    assert found[f"openstackoid_key_start_timestamp_seconds{{kid={old.kid},use=sign}}"] == 1000
    assert found[f"openstackoid_key_expiry_timestamp_seconds{{kid={old.kid},use=sign}}"] == old.until
    assert f"openstackoid_key_expiry_timestamp_seconds{{kid={new.kid},use=sign}}" not in found
    assert [name for name in found if re.match(r"openstackoid_build_info{cloud=One,python=3.*,version=\d", name)]
    # What is gone is not shown any more: an alert about it would never end.
    assert "openstackoid_peer_up{peer=Three}" not in samples(State("One", {"Two": True}))


def test_the_end_of_a_certificate(tmp_path: Path) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    issued = trustme.CA().issue_cert("one.example", not_after=end)
    certificate, key = tmp_path / "one.crt", tmp_path / "one.key"
    issued.private_key_pem.write_to_path(key)
    for pem in issued.cert_chain_pems:
        pem.write_to_path(certificate, append=True)
    tls = {"certificate": str(certificate), "key": str(key)}
    image = {"frontend": "https://192.0.2.1", "backend": "http://192.0.2.2"}
    config = Config.model_validate({"cloud": "One", "services": {"image": image}, "tls": tls})
    assert certificate_ends(config) == {"tls.certificate": end.timestamp()}
    certificate.write_text("none")
    with pytest.raises(ConfigError, match=r"tls\.certificate: expected a certificate in PEM form"):
        certificate_ends(config)
