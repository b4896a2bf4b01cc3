"""The check of a configuration before it is used: all that can be wrong on this machine, without a connection and without a change.

`openstackoid gateway check`, the start and each reload of a gateway, and `openstackoid doctor` call the same function, so what it accepts is
accepted by all. What only a connection shows (Keystone, peers, a database on a server) is `openstackoid doctor`'s.
"""

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

from openstackoid.core.errors import ConfigError
from openstackoid.core.services import service_type
from openstackoid.gateway.entry.listeners import listeners
from openstackoid.gateway.federation.agreements import database_url
from openstackoid.gateway.settings.certificates import authorities, certificate_ends
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.fields import Catalog, Tls
from openstackoid.gateway.settings.loading import load
from openstackoid.gateway.settings.peering import Trust
from openstackoid.storage.databases import Database
from openstackoid.trust import key_files


def checked(path: Path) -> Config:
    """Read a configuration, and everything on this machine that it names.

    Raises:
        ConfigError: naming the file, and the key that is wrong.
        OpenStackoidError: the database's URL or driver, or the keys cannot be used.
    """
    config = load(path)
    try:
        _check(config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return config


def _check(config: Config) -> None:
    for key, tls in (("tls", config.tls), ("peering.tls", config.peering.tls if config.peering else None)):
        tls_context(key, tls)
    certificate_ends(config)
    if config.ca:
        authorities(config.ca)
    for key, section in (
        ("catalog", config.catalog),
        ("trust.account", config.trust.account if config.trust else None),
    ):
        if section:
            _password(key, section)
    if config.trust:
        _trust(config, config.trust)
    if config.audit:
        _writable(config.audit)
    for address in _addresses(config):
        _is_of_this_machine(address)


def tls_context(key: str, tls: Tls | None) -> ssl.SSLContext | None:
    """The context of a listener with these files; None for plain HTTP.

    Args:
        key: of the section in the configuration.
        tls: the section.

    Raises:
        ConfigError: the files cannot be read, or do not fit each other.
    """
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{key}.certificate: {tls.certificate} and its key do not fit: {error}") from None
    return context


def _password(key: str, section: Catalog) -> None:
    try:
        section.password_file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(f"{key}.password_file: {section.password_file}: {reason}") from None


def _trust(config: Config, trust: Trust) -> None:
    if "identity" not in {service_type(kind) for kind in config.services}:
        raise ConfigError("services.identity: expected this cloud's Keystone, whom a trust section needs")
    key_files.load(trust.keys, trust.keys_env, trust.keys_command)
    database = Database(database_url(trust), option="trust.database")
    database.close()
    if database.file and not database.file.parent.is_dir():
        raise ConfigError(f"trust.database: no such folder: {database.file.parent}")


def _writable(path: Path) -> None:
    place = path if path.exists() else path.parent
    if not place.exists() or path.is_dir() or not os.access(place, os.W_OK):
        raise ConfigError(f"audit: {path} cannot be written by user id {os.geteuid()}")


def _addresses(config: Config) -> Iterator[str]:
    yield from listeners(config)
    if config.admin:
        yield config.admin.listen


def _is_of_this_machine(address: str) -> None:
    """Bind to the host, at a free port: the gateway that runs has the port itself."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with contextlib.closing(socket.socket(family, kind, protocol)) as trial:
            trial.bind(place)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {address}: {error.strerror or error}. Expected an address of this machine; "
            "see listen in the configuration, where the gateway is behind another proxy"
        ) from None
