"""The peers of a cloud as its operators find them: those of the configuration file, and those of the database."""

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.loading import load
from openstackoid.gateway.settings.peering import Trust
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.store import AgreementExistsError, Store, UnknownPeerError

Entry = dict[str, Any]


def trusted(path: Path) -> tuple[Config, Trust]:
    """The gateway's configuration, and the trust section of it.

    Raises:
        ConfigError: it is wrong, or has no such section.
    """
    config = load(path)
    if config.trust is None:
        raise ConfigError(f"{path}: expected a trust section with keys and database, for agreements")
    return config, config.trust


def url(trust: Trust) -> str:
    """Where the database of agreements is.

    Raises:
        ConfigError: a variable should name it, and is empty.
    """
    address = trust.database or os.environ.get(trust.database_env or "", "")
    if not address:
        raise ConfigError(f"trust.database_env: the variable {trust.database_env} is empty here")
    return address


@contextlib.contextmanager
def opened(trust: Trust) -> Iterator[Store]:
    """The database of agreements.

    Raises:
        ConfigError: a variable should name it, and is empty.
        StoreError: it cannot be used.
    """
    store = Store(url(trust))
    try:
        store.upgrade()
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def opened_if_any(path: Path) -> Iterator[tuple[Config, Store | None]]:
    """The configuration, and the database of agreements if it has one."""
    config = load(path)
    with contextlib.nullcontext() if config.trust is None else opened(config.trust) as store:
        yield config, store


@contextlib.contextmanager
def trusting(path: Path) -> Iterator[tuple[Config, Store]]:
    """The configuration, and the database of agreements, which must be there."""
    config, trust = trusted(path)
    with opened(trust) as store:
        yield config, store


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


def changeable(path: Path, name: str, config: Config, store: Store) -> Agreement:
    """The agreement with the cloud that a command names.

    Raises:
        AgreementExistsError: it stands in the file, which no command changes.
        UnknownPeerError: there is none.
    """
    if name in config.peers:
        raise AgreementExistsError(
            f"{name} stands in {path}, and what stands there no command changes. Edit the file (peers.{name}), "
            "and send the gateway SIGHUP."
        )
    known = store.agreements()
    for agreement in known:
        if agreement.peer == name:
            return agreement
    raise UnknownPeerError(
        f"No agreement with {name}. There are: {', '.join(other.peer for other in known) or 'none'}."
    )


def operator() -> str:
    """The user who logged in, also when the command runs by sudo as the gateway's user."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
