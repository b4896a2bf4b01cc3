"""All checks, in the order in which one depends on the other."""

from collections.abc import Iterator
from pathlib import Path

from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.checking import checked
from openstackoid.gateway.operating import peers
from openstackoid.operators.doctor import clouds, keystone, machine, proxy, quotas
from openstackoid.operators.doctor.finding import Finding, failed, ok, skipped
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.grants import Grant


def examine(path: Path) -> Iterator[Finding]:
    """Check a gateway by its configuration. Nothing is changed."""
    try:
        config = checked(path)
    except OpenStackoidError as error:
        remedy = "Correct it as the message says; keys and values: docs/reference/gateway.md"
        yield failed("configuration", str(error), remedy)
        yield skipped("all else", "needs a configuration that the gateway accepts")
        return
    yield ok("configuration", f"{path}: the gateway accepts it")
    yield from machine.certificates(config)
    entries, contracts = peers.entries(config, None), list[ContractGrant]()
    if config.trust:
        yield machine.keys(config.trust)
        finding, entries, contracts = machine.database(config, config.trust)
        yield finding
    # The gateway uses the file's entry of a peer that the database has, too.
    entries = [entry for entry in entries if "hidden" not in entry["from"]]
    yield from keystone.answers(config)
    grants = [Grant.model_validate(peer["grant"]) for peer in entries if peer["grant"]]
    yield from keystone.accounts(config, grants, quotas.counted(contracts))
    yield from clouds.gateway(config)
    yield from clouds.peers(config, entries)
    yield from clouds.contracts(config, entries, contracts)
    if config.haproxy:
        yield from proxy.haproxy(path)
