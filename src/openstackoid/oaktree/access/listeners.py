"""The listeners of a server: opens the addresses, and removes the socket files at the end.

A Unix socket is protected by its mode, 600: only its owner and root can connect. On a loopback address every user of the machine can connect.
"""

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Final, Protocol

import grpc

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.access.addresses import Address, check, distinct, taken
from openstackoid.oaktree.access.certificates import server_credentials
from openstackoid.oaktree.config import Config


class _Server(Protocol):
    """The methods that grpc.aio.Server and grpc.Server have in common."""

    def add_insecure_port(self, address: str) -> int: ...
    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int: ...


class Listeners:
    """The addresses of one server."""

    def __init__(self, config: Config) -> None:
        """Check the addresses; nothing is opened.

        Raises:
            ConfigError: an address is not safe, or invalid.
        """
        self._addresses: Final = check(config)
        self._tls: Final = config.tls
        self._local: Final = config.callers.local_allowed
        self._sockets: list[tuple[Path, tuple[int, int]]] = []

    def open(self, server: _Server) -> list[str]:
        """Listen; returns the addresses for clients, with the ports that were chosen for port 0.

        Raises:
            ConfigError: an address is in use, a file cannot be read or used, or a folder belongs to another user.
        """
        opened = []
        credentials = (
            server_credentials(self._tls)
            if self._tls and any(not listener.path for listener in self._addresses)
            else None
        )
        for address in distinct(self._addresses):
            if address.path:
                self._unix(server, address.path)
                opened.append(f"unix:{address.path}")
            else:
                opened += _tcp(server, address, credentials)
        return opened

    def notes(self) -> list[str]:
        """Messages for the operator at the start."""
        if self._tls or not self._local:
            return []
        return [
            f"{address.text}: every user of this machine can call here, as the clouds.yaml's user; a Unix socket is for one user only"
            for address in self._addresses
            if not address.path
        ]

    def close(self) -> None:
        """Remove the socket files, if they are still this server's."""
        for path, made in self._sockets:
            with contextlib.suppress(OSError):
                if _which(path) == made:
                    path.unlink()
        self._sockets.clear()

    def _unix(self, server: _Server, path: Path) -> None:
        _folder(path.parent)
        _stale(path)
        before = os.umask(0o177)
        try:
            server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            raise ConfigError(f"listen: unix:{path}: cannot listen there") from error
        finally:
            os.umask(before)
        self._sockets.append((path, _which(path)))


def _which(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def _folder(folder: Path) -> None:
    """Make the folder with access for its user only. In an existing folder, no other user may be able to replace the socket."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise ConfigError(f"listen: unix:{folder}/...: {error.strerror}") from error
    shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
    if status.st_uid not in (os.getuid(), 0) or shared:
        raise ConfigError(
            f"listen: {folder} belongs to another user, or others may write there: expected a folder of one's own (chmod 700)"
        )


def _stale(path: Path) -> None:
    """Remove the socket of a server that has ended; gRPC would replace even the socket of a running one."""
    if not path.is_symlink() and not path.exists():
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(f"listen: {path} is there, and no socket: remove it, or listen elsewhere")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"listen: {path} is there: {error.strerror or error}") from error
        else:
            raise ConfigError(f"listen: {path}: another server listens there")


def _tcp(server: _Server, address: Address, credentials: grpc.ServerCredentials | None) -> list[str]:
    opened = []
    for host in address.hosts:
        place = f"[{host}]" if ":" in host else host
        try:
            port = (
                server.add_insecure_port(f"{place}:{address.port}")
                if credentials is None
                else server.add_secure_port(f"{place}:{address.port}", credentials)
            )
        except RuntimeError as error:
            raise taken(address) from error
        opened.append(f"{place}:{port}")
    return opened
