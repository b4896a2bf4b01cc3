"""Checks of this machine: certificates, keys, the database of agreements."""

import time
from collections.abc import Iterator
from typing import Final

from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.operating import peers
from openstackoid.gateway.operating.peers import Entry
from openstackoid.gateway.settings.certificates import certificate_ends
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.peering import Trust
from openstackoid.operators import registry
from openstackoid.operators.doctor.finding import Finding, failed, ok, warning
from openstackoid.output import when
from openstackoid.trust import key_files
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.store import Store

_SOON: Final = 14 * 86400.0  # seconds, as in the alert rule
_RENEW: Final = "Renew it, then: systemctl reload openstackoid-gateway openstackoid-haproxy"


def certificates(config: Config) -> Iterator[Finding]:
    """When each certificate ends."""
    for key, end in certificate_ends(config).items():
        left, detail = end - time.time(), f"until {when(end)}"
        if left < 0:
            yield failed(key, f"it has ended: {detail}", _RENEW)
        elif left < _SOON:
            yield warning(key, f"{detail}: {left / 86400:.0f} days", _RENEW)
        else:
            yield ok(key, detail)


def keys(trust: Trust) -> Finding:
    """Which key signs."""
    read = key_files.load(trust.keys, trust.keys_env, trust.keys_command)
    signing = [key for key in read.listed() if key["use"] == "sign"]
    current = next(key for key in signing if key["state"] == "current")
    detail = f"fingerprint {read.fingerprint}, signs since {when(current['from'])}"
    coming = [key for key in signing if key["state"] == "next"]
    return ok("keys", f"{detail}; the next one signs from {when(coming[0]['from'])}" if coming else detail)


def database(config: Config, trust: Trust) -> tuple[Finding, list[Entry], list[ContractGrant]]:
    """Whether the database can be read, all peers, and the contracts in use. It is not changed, so tables that are missing are a finding."""
    store = Store(registry.url(trust))
    try:
        entries, contracts = peers.entries(config, store), store.contracts.all()
        detail = f"{store.name}: revision {store.revision()}"
    except OpenStackoidError as error:
        remedy = "Start the database, and check trust.database; tables that are missing: openstackoid database upgrade"
        return failed("database", str(error), remedy), peers.entries(config, None), []
    finally:
        store.close()
    return ok("database", detail), entries, contracts
