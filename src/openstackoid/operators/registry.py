"""Opens the configuration and the database of agreements for commands, and finds the name of the user who runs a command."""

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.loading import load
from openstackoid.gateway.settings.peering import Trust
from openstackoid.trust.store import Store


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


def operator() -> str:
    """The user who logged in, also when the command runs by sudo as the gateway's user."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
