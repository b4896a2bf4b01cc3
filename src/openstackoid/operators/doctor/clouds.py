"""Checks of what runs: the gateway at its frontends, its health, and the peers in both directions."""

from collections.abc import Collection, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from openstackoid.core.protocol import PEERS_PATH, WELL_KNOWN_PATH
from openstackoid.gateway.operating.peers import Entry
from openstackoid.gateway.settings.config import Config
from openstackoid.operators.doctor.finding import Finding, failed, ok, skipped, warning
from openstackoid.operators.doctor.web import Answer, clock, fetch
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.rings import Ring

_OK: Final = 200
_START: Final = "systemctl start openstackoid-gateway openstackoid-haproxy; then: journalctl -u openstackoid-gateway"


def gateway(config: Config) -> Iterator[Finding]:
    """Whether the gateway answers at each of its addresses, as users and peers call them, and how its parts are."""
    urls = {
        f"{parts.scheme}://{parts.netloc}"
        for service in config.services.values()
        for parts in [urlsplit(service.frontend)]
    }
    for url in sorted(urls):
        yield _is_ours(config, f"frontend {url}", url)
    if config.peering:
        yield _is_ours(config, f"peering {config.peering.url}", config.peering.url)
    if config.admin is None:
        yield skipped("health", "needs admin.listen")
        return
    address = config.admin.listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104 - compared
    answer = fetch(f"http://{address}/healthz", None)
    parts = answer.document.get("parts") if isinstance(answer, Answer) and isinstance(answer.document, dict) else None
    if not isinstance(parts, dict):
        yield failed(
            "health", f"http://{address}/healthz: {answer if isinstance(answer, str) else answer.status}", _START
        )
        return
    for name, part in sorted(parts.items()):
        if part["status"] == "ok":
            yield ok(f"health: {name}", "ok")
        else:
            yield failed(
                f"health: {name}", str(part["detail"]), "See the health of a gateway in docs/reference/gateway.md"
            )


def _is_ours(config: Config, check: str, url: str) -> Finding:
    answer = fetch(url + WELL_KNOWN_PATH, config.ca)
    if isinstance(answer, str):
        return failed(check, answer, _START)
    name = answer.document.get("cloud") if isinstance(answer.document, dict) else None
    if answer.status != _OK or name != config.cloud:
        what = f"{name}'s gateway" if name else f"status {answer.status}"
        remedy = "Let the load balancer or the address lead to this gateway; what answers there is something else"
        return failed(check, f"expected {config.cloud}'s gateway, got {what}", remedy)
    return ok(check, "the gateway answers")


def peers(config: Config, entries: list[Entry]) -> Iterator[Finding]:
    """Whether each peer answers as it should, and whether both sides allow the other."""
    seen = _seen(config)
    for entry in entries:
        check, url = f"peer {entry['name']}", entry["url"]
        answer = fetch(url + WELL_KNOWN_PATH, config.ca)
        if isinstance(answer, str):
            yield failed(check, f"{url}: {answer}", "Ask its operator whether its gateway runs; check ca and firewalls")
            continue
        yield _identity(check, entry, answer)
        if entry["token"] == "federated":  # noqa: S105 - a mode
            skew = config.trust.skew if config.trust else 30.0
            if fault := clock(f"{check}: clock", answer.ahead, skew):
                yield fault
            yield _agreement(f"{check}: agreement", config.cloud, entry, seen)


def contracts(config: Config, entries: list[Entry], in_use: Collection[ContractGrant]) -> Iterator[Finding]:
    """Whether the gateway refuses all requests of a contract: users' tokens would cross that should not, by the contract or the configuration."""
    one_owner = config.trust.one_owner if config.trust else []
    passing = {entry["name"] for entry in entries if entry["token"] != "federated"}  # noqa: S105 - a mode
    for contract in in_use:
        if contract.peer in passing:
            detail = f"{contract.peer} gets users' tokens (pass-through), which no contract limits: the gateway refuses requests there"
            remedy = f"Remove peers.{contract.peer}.token: pass-through, in both clouds, or end the contract"
            yield failed(f"contract {contract.id}", detail, remedy)
        elif contract.pass_through and contract.peer not in one_owner:
            detail = f"users come with their own tokens, and {contract.peer} is not known as a cloud of the same owner: the gateway refuses requests"
            remedy = f"Add {contract.peer} to trust.one_owner, in both clouds, or agree on terms with token: federated"
            yield failed(f"contract {contract.id}", detail, remedy)


def _identity(check: str, entry: Entry, answer: Answer) -> Finding:
    name = answer.document.get("cloud") if isinstance(answer.document, dict) else None
    if answer.status != _OK or name != entry["name"]:
        what = f"{name!r}" if name else f"status {answer.status}"
        return failed(
            check, f"{entry['url']}: expected {entry['name']}, got {what}", "Correct its URL: openstackoid peer show"
        )
    if entry["fingerprint"]:
        try:
            Ring(answer.document, entry["fingerprint"])
        except ValueError as error:
            remedy = (
                f"Ask its operator for the fingerprint, then: openstackoid peer trust {entry['name']} --fingerprint FP"
            )
            return failed(check, str(error), remedy)
    return ok(check, f"answers at {entry['url']}")


def _agreement(check: str, cloud: str, entry: Entry, seen: dict[str, dict[str, Any]] | None) -> Finding:
    ours, allow = entry["state"], f"openstackoid peer allow {entry['name']}"
    if ours != "active":
        return warning(check, f"this side is {ours}", allow)
    if seen is None:
        return skipped(check, "needs this cloud's gateway, which asks the peer for its side")
    state = seen.get(entry["name"], {})
    if error := state.get("error"):
        return failed(check, str(error), f"openstackoid peer show {entry['name']}")
    theirs = (state.get("agreement") or {}).get("theirs")
    if theirs != "active":
        return failed(check, f"their side is {theirs}", f"Their operator runs: openstackoid peer allow {cloud}")
    return ok(check, "active on both sides")


def _seen(config: Config) -> dict[str, dict[str, Any]] | None:
    """The peers as our running gateway sees them."""
    parts = urlsplit(next(iter(config.services.values())).frontend)
    answer = fetch(f"{parts.scheme}://{parts.netloc}{PEERS_PATH}", config.ca)
    if isinstance(answer, str) or answer.status != _OK or not isinstance(answer.document, dict):
        return None
    return {peer["name"]: peer for peer in answer.document["peers"]}
