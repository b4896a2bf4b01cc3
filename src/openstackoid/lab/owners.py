"""Gives each cloud of a lab an owner of its own: keys, a certificate, an account for mapped projects.

Each owner knows the others by the fingerprints of their keys, as operators who have met would. One thing is shared, the
authority for TLS, as owners share those of the public Web.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from openstackoid.trust import key_files
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store

from . import certificates, state
from .config import Secrets
from .layout import CA, Cloud

CA_KEY = "ca.key"


def equip(
    directory: Path, clouds: Mapping[str, Cloud], secrets: Mapping[str, Secrets], now: datetime | None = None
) -> tuple[dict[str, str], list[str]]:
    """Make the missing files and accounts.

    Args:
        directory: the lab's.
        clouds: the federated clouds; their ``etc`` folders exist.
        secrets: of each cloud.
        now: the present, or another time in tests.

    Returns:
        The fingerprint of each cloud's key, and the clouds whose gateways must read a changed file.
    """
    now = now or datetime.now(UTC)
    before = authority_of(directory)
    signer = certificates.authority(directory / CA, directory / CA_KEY, now)
    renewed = before != authority_of(directory)
    fingerprints, changed = {}, []
    for name, cloud in clouds.items():
        there = cloud.keys.exists()
        fingerprints[name] = (key_files.read(cloud.keys) if there else key_files.create(cloud.keys)).fingerprint
        fresh = [
            not there,
            renewed,
            state.write_private(cloud.trust_password, secrets[name].admin),
            certificates.ensure(
                cloud.certificate, cloud.certificate_key, signer, cloud.certificate_name, cloud.frontend_host, now
            ),
        ]
        if any(fresh):
            changed.append(name)
    return fingerprints, changed


def introduce(clouds: Sequence[Cloud], fingerprints: Mapping[str, str]) -> None:
    """Let the first cloud and each other one have met: their agreements name keys and allow nothing, since contracts do.

    Args:
        clouds: the aggregator, then its providers and the buyer; their ``db`` folders exist.
        fingerprints: of each cloud's key.
    """
    aggregator, *others = clouds
    known = {aggregator.name: others, **{other.name: [aggregator] for other in others}}
    for cloud in clouds:
        store = Store(f"sqlite:///{cloud.database('trust')}")
        try:
            store.upgrade()
            met = {agreement.peer for agreement in store.agreements()}
            for other in known[cloud.name]:
                if other.name not in met:
                    store.add(other.name, other.peering, fingerprints[other.name], Grant(home=()), "lab")
                    store.change(other.name, "allow", "lab")
        finally:
            store.close()


def authority_of(directory: Path) -> bytes | None:
    """Give the authority's certificate as it is in its file."""
    path = directory / CA
    return path.read_bytes() if path.exists() else None
