"""Certificates of a server's TCP addresses: read again at the first handshake after their files have changed."""

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.config import Tls

_LOG: Final = logging.getLogger(__name__)


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Credentials of a server, renewed when their files change.

    Raises:
        ConfigError: a file cannot be read or used.
    """
    files = Files([file for file in (tls.certificate, tls.key, tls.client_ca) if file])

    def made(read: Sequence[bytes]) -> Any:
        certificate, key, *authority = read
        return grpc.ssl_server_certificate_configuration([(key, certificate)], authority[0] if authority else None)

    def renewed() -> Any:
        # Called at each handshake; if the new files cannot be used, the old certificates stay in use.
        try:
            read = files.changed()
            if read is None:
                return None
            _usable(tls)
        except (OSError, ConfigError) as error:
            _LOG.error("tls: %s; the certificate of before stays in use", error)
            return None
        return made(read)

    try:
        read = files.changed()
    except OSError as error:
        raise ConfigError(f"tls: {error.filename}: {error.strerror}") from error
    _usable(tls)
    return grpc.dynamic_ssl_server_credentials(
        made(read or ()), renewed, require_client_authentication=tls.client_ca is not None
    )


def _usable(tls: Tls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
        if tls.client_ca:
            context.load_verify_locations(tls.client_ca)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"tls: {tls.certificate} and {tls.key} do not belong together, or are no PEM files: {error}"
        ) from error


class Files:
    """Files that may change."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Create it without reading the files."""
        self._paths: Final = paths
        self._seen: list[tuple[int, int, int]] = []

    def changed(self) -> list[bytes] | None:
        """The contents of the files if they changed since the last call; else None. Raises OSError."""
        now = [(status.st_ino, status.st_mtime_ns, status.st_size) for status in (path.stat() for path in self._paths)]
        if now == self._seen:
            return None
        self._seen = now
        return [path.read_bytes() for path in self._paths]
