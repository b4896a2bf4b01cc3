"""Peers and agreements of file and database, and what is checked before one is changed: for commands and for the operators' API."""

from pathlib import Path
from typing import Any

from openstackoid.core.catalog import base_url
from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.operating.discovery import Found
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.peering import is_safe
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.rings import Ring
from openstackoid.trust.store import AgreementExistsError, Store, UnknownPeerError

Entry = dict[str, Any]


class RefusedError(OpenStackoidError):
    """The operator did not confirm, or the given fingerprint differs from the published one."""

    status = 403
    code = "peer.refused"


def entries(config: Config, store: Store | None) -> list[Entry]:
    """All peers, by name, as JSON has them."""
    listed: list[Entry] = [
        {
            "name": agreement.peer,
            "state": agreement.state.value,
            # If both name a peer, the gateway uses the file.
            "from": "database, hidden by the file" if agreement.peer in config.peers else "database",
            "token": "federated",
            "url": agreement.url,
            "fingerprint": agreement.fingerprint,
            "agreement": agreement.id,
            "grant": agreement.grant.model_dump(mode="json"),
        }
        for agreement in (store.agreements() if store else [])
    ]
    listed += [
        {
            "name": name,
            "state": "active",
            "from": "file",
            "token": peer.token,
            "url": peer.url,
            "fingerprint": peer.fingerprint,
            "agreement": None,
            "grant": peer.allow.model_dump(mode="json") if peer.allow else None,
        }
        for name, peer in config.peers.items()
    ]
    return sorted(listed, key=lambda entry: (entry["name"], entry["from"] != "file"))


def changeable(name: str, config: Config, store: Store, file: Path | str = "the configuration") -> Agreement:
    """The agreement with the cloud that is to be changed.

    Raises:
        AgreementExistsError: it stands in the file, which nothing but an editor changes.
        UnknownPeerError: there is none.
    """
    if name in config.peers:
        raise AgreementExistsError(
            f"{name} stands in {file}, and what stands there no command changes. Edit the file (peers.{name}), "
            "and send the gateway SIGHUP."
        )
    known = store.agreements()
    for agreement in known:
        if agreement.peer == name:
            return agreement
    raise UnknownPeerError(
        f"No agreement with {name}. There are: {', '.join(other.peer for other in known) or 'none'}."
    )


def check_new(name: str, url: str, config: Config, store: Store, file: Path | str = "the configuration") -> None:
    """Check that a cloud can be added.

    Raises:
        RefusedError: it is this cloud.
        AgreementExistsError: there is one of that name.
    """
    if name == config.cloud:
        raise RefusedError(f"{url} is a gateway of {name}, which is this cloud. Its URL or its name is wrong.")
    if name in config.peers:
        raise AgreementExistsError(f"{name} stands in {file} already (peers.{name}): edit the file.")
    if any(agreement.peer == name for agreement in store.agreements()):
        raise AgreementExistsError(f"There is an agreement with {name} already; see: openstackoid peer show {name}")


def check_descent(peer: Found, fingerprint: str) -> None:
    """Check that the published keys are those of the fingerprint, or endorsed by it.

    Raises:
        RefusedError: they are not.
    """
    try:
        Ring(peer.keys, fingerprint)
    except ValueError as error:
        raise RefusedError(
            f"{peer.cloud.name}: {error}. Ask its operator, not over this connection, what openstackoid key show prints there."
        ) from None


def safe_url(text: str) -> str:
    """The base URL of another cloud's gateway.

    Raises:
        ValueError: it is none, or not https: nobody may listen to what federated clouds say.
    """
    url = base_url(text)
    if not is_safe(url):
        raise ValueError(f"expected https, for nobody may listen to what federated clouds say; got {url}")
    return url
