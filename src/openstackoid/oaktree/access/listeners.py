"""Where a server listens. Without TLS only where nobody but this machine's users can come; never in public without knowing who calls.

The gate of a Unix socket is its mode, 600: only its user, and root, can connect. On a loopback address every user of the machine can. Certificates are read
again at the first handshake after their files have changed.
"""

import contextlib
import ipaddress
import os
import socket
import ssl
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import grpc

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.config import Config, Tls

# Of a path, as Linux has it (sun_path), with the zero at its end.
_LONGEST_PATH: Final = 107
# All addresses of a machine: gRPC listens at both kinds with one socket.
_ALL: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with


class _Server(Protocol):
    """What grpc.aio.Server has; also what grpc.Server has."""

    def add_insecure_port(self, address: str) -> int: ...
    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int: ...


@dataclass(frozen=True)
class Address:
    """Where to listen: a Unix socket, or IP addresses and a port."""

    text: str
    path: Path | None = None
    hosts: tuple[str, ...] = ()
    port: int = 0

    @property
    def private(self) -> bool:
        """Whether only this machine can reach it."""
        return self.path is not None or all(
            ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in self.hosts
        )


def parse(text: str) -> Address:
    """An address: `unix:/path`, `HOST:PORT`, or `[IPV6]:PORT`. A name stands for what it resolves to now.

    Raises:
        ConfigError: it is none, or the name does not resolve.
    """
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:").replace("//", "/", 1) or ".").expanduser().absolute()
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise ConfigError(f"listen: {text}: expected a path of at most {_LONGEST_PATH} bytes")
        return Address(text, path=path)
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not host or not port.isdecimal() or int(port) > 65535 or (":" in host and not bracketed):  # noqa: PLR2004 - the number of ports
        raise ConfigError(f"listen: {text}: expected unix:/PATH, HOST:PORT, or [IPV6]:PORT")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"listen: {text}: {host} is not an address, and no name that resolves: {error}") from error
    return Address(text, hosts=tuple(dict.fromkeys(str(each[4][0]) for each in found)), port=int(port))


def check(config: Config) -> list[Address]:
    """Where to listen, if that is safe.

    Raises:
        ConfigError: it is not, or nobody could call there; says what to do.
    """
    addresses = [parse(each) for each in config.listen]
    callers = config.callers
    authority = config.tls and config.tls.client_ca
    for each in addresses:
        if not each.private and config.tls is None:
            raise ConfigError(
                f"listen: {each.text} is public: expected tls (certificate, key) and either tls.client_ca with callers.certificates, or "
                "callers.tokens. Without TLS, a Unix socket or a loopback address will do"
            )
        if each.path is None and config.tls and not (callers.tokens or (authority and callers.certificates)):
            raise ConfigError(
                f"listen: {each.text} has TLS, and no caller would be known there: expected callers.tokens, or tls.client_ca with "
                "callers.certificates. callers.local is for addresses without TLS"
            )
        if (each.path or not config.tls) and not (callers.local_allowed or callers.tokens):
            raise ConfigError(
                f"listen: {each.text} has no TLS, and no caller would be known there: expected callers.local: true, or callers.tokens"
            )
    if callers.certificates and not authority:
        raise ConfigError("callers.certificates: expected tls.client_ca: who signs them")
    if authority and not callers.certificates:
        raise ConfigError(
            "tls.client_ca: expected callers.certificates: with it every caller by TCP needs a certificate that is known"
        )
    return addresses


@contextlib.contextmanager
def reserved(config: Config) -> Iterator[None]:
    """Keep the TCP addresses for the workers of this server, which share them (SO_REUSEPORT): the kernel would let a second server share them, too.

    Raises:
        ConfigError: another program listens at one of them, or another server keeps it for its workers.
    """
    with contextlib.ExitStack() as stack:
        for address in _distinct(check(config)):
            for host in address.hosts:
                # A name of Linux' abstract Unix sockets, of the same network namespace as the port; gone with this process.
                kept = stack.enter_context(socket.socket(socket.AF_UNIX))
                _bind(kept, f"\0openstackoid/oaktree/{host}/{address.port}", address)
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                with socket.socket(family) as probe:
                    # Without SO_REUSEPORT: this fails where anybody listens.
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    _bind(probe, (host.partition("%")[0], address.port), address)
        yield


def _bind(sock: socket.socket, at: Any, address: Address) -> None:
    try:
        sock.bind(at)
    except OSError as error:
        raise _taken(address) from error


def _taken(address: Address) -> ConfigError:
    return ConfigError(
        f"listen: {address.text}: cannot listen there: is the port taken, by another oaktree for example?"
    )


def _distinct(addresses: Sequence[Address]) -> list[Address]:
    """Without what is there twice: the same host and port, or a host and all hosts."""
    everywhere = {each.port: each for each in addresses if each.port and _ALL & set(each.hosts)}
    seen: set[tuple[str, int]] = set()
    found = []
    for each in addresses:
        if each.port in everywhere:
            if everywhere[each.port] is each:
                found.append(replace(each, hosts=each.hosts[:1]))
            continue
        hosts = tuple(host for host in each.hosts if not each.port or (host, each.port) not in seen)
        seen |= {(host, each.port) for host in hosts}
        if hosts or each.path:
            found.append(replace(each, hosts=hosts))
    return found


class Listeners:
    """The addresses of one server."""

    def __init__(self, config: Config) -> None:
        """Check where to listen; nothing is opened.

        Raises:
            ConfigError: it is not safe, or cannot be.
        """
        self._addresses: Final = check(config)
        self._tls: Final = config.tls
        self._local: Final = config.callers.local_allowed
        self._sockets: list[tuple[Path, tuple[int, int]]] = []

    def open(self, server: _Server) -> list[str]:
        """Listen; returns the addresses for clients, with the ports that were chosen for port 0.

        Raises:
            ConfigError: an address is taken, a file cannot be read or used, a folder is somebody else's.
        """
        opened = []
        credentials = _credentials(self._tls) if self._tls and any(not each.path for each in self._addresses) else None
        for address in _distinct(self._addresses):
            if address.path:
                self._unix(server, address.path)
                opened.append(f"unix:{address.path}")
            else:
                opened += _tcp(server, address, credentials)
        return opened

    def notes(self) -> list[str]:
        """What an operator should know at the start."""
        if self._tls or not self._local:
            return []
        return [
            f"{each.text}: every user of this machine can call here, as the clouds.yaml's user; a Unix socket is for one user only"
            for each in self._addresses
            if not each.path
        ]

    def close(self) -> None:
        """Remove the sockets' files, if they are still ours."""
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
    found = path.lstat()
    return found.st_dev, found.st_ino


def _folder(folder: Path) -> None:
    """Make it for its user alone; in one that is there, nobody else may be able to put another socket in the place of ours."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise ConfigError(f"listen: unix:{folder}/...: {error.strerror}") from error
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if found.st_uid not in (os.getuid(), 0) or shared:
        raise ConfigError(
            f"listen: {folder} belongs to another user, or others may write there: expected a folder of one's own (chmod 700)"
        )


def _stale(path: Path) -> None:
    """Remove a socket that a server left behind; gRPC would take the path from one that runs."""
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
            raise _taken(address) from error
        opened.append(f"{place}:{port}")
    return opened


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    files = Files([each for each in (tls.certificate, tls.key, tls.client_ca) if each])

    def made(read: Sequence[bytes]) -> Any:
        certificate, key, *authority = read
        return grpc.ssl_server_certificate_configuration([(key, certificate)], authority[0] if authority else None)

    def renewed() -> Any:
        # At each handshake; what cannot be used leaves in force what is.
        try:
            read = files.changed()
            if read is None:
                return None
            _usable(tls)
        except (OSError, ConfigError) as error:
            told = f"tls: {error}; the certificate of before stays in use"
            print(told, file=sys.stderr, flush=True)  # noqa: T201 - what operators read
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
        """Nothing is read yet."""
        self._paths: Final = paths
        self._seen: list[tuple[int, int, int]] = []

    def changed(self) -> list[bytes] | None:
        """What is in them, if they changed since the last time; None if not. Raises OSError."""
        now = [(found.st_ino, found.st_mtime_ns, found.st_size) for found in (path.stat() for path in self._paths)]
        if now == self._seen:
            return None
        self._seen = now
        return [path.read_bytes() for path in self._paths]
