"""Addresses to listen on. Plaintext is allowed only on addresses that only this machine's users can reach; other addresses need authentication."""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.config import Config

# Maximum length of a socket's path on Linux (sun_path), with the terminating zero.
_LONGEST_PATH: Final = 107
# The wildcard addresses: gRPC listens on IPv4 and IPv6 with one socket.
_ALL: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with


@dataclass(frozen=True)
class Address:
    """An address to listen on: a Unix socket, or IP addresses and a port."""

    text: str
    path: Path | None = None
    hosts: tuple[str, ...] = ()
    port: int = 0

    @property
    def private(self) -> bool:
        """Whether only this machine can reach it."""
        return self.path is not None or all(
            ipaddress.ip_address(host.partition("%")[0]).is_loopback for host in self.hosts
        )


def parse(text: str) -> Address:
    """Parse an address: `unix:/path`, `HOST:PORT`, or `[IPV6]:PORT`. Resolves a host name now.

    Raises:
        ConfigError: the address is invalid, or the name does not resolve.
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
        infos = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"listen: {text}: {host} is not an address, and no name that resolves: {error}") from error
    return Address(text, hosts=tuple(dict.fromkeys(str(info[4][0]) for info in infos)), port=int(port))


def check(config: Config) -> list[Address]:
    """Parse the configured addresses, and check that they are safe to listen on.

    Raises:
        ConfigError: an address is not safe, or no caller could be authenticated there; the message gives the remedy.
    """
    addresses = [parse(address) for address in config.listen]
    callers = config.callers
    authority = config.tls and config.tls.client_ca
    for address in addresses:
        if not address.private and config.tls is None:
            raise ConfigError(
                f"listen: {address.text} is public: expected tls (certificate, key) and either tls.client_ca with callers.certificates, or "
                "callers.tokens. Without TLS, a Unix socket or a loopback address will do"
            )
        if address.path is None and config.tls and not (callers.tokens or (authority and callers.certificates)):
            raise ConfigError(
                f"listen: {address.text} has TLS, and no caller would be known there: expected callers.tokens, or tls.client_ca with "
                "callers.certificates. callers.local is for addresses without TLS"
            )
        if (address.path or not config.tls) and not (callers.local_allowed or callers.tokens):
            raise ConfigError(
                f"listen: {address.text} has no TLS, and no caller would be known there: expected callers.local: true, or callers.tokens"
            )
    if callers.certificates and not authority:
        raise ConfigError("callers.certificates: expected tls.client_ca: who signs them")
    if authority and not callers.certificates:
        raise ConfigError(
            "tls.client_ca: expected callers.certificates: with it every caller by TCP needs a certificate that is known"
        )
    return addresses


@contextlib.contextmanager
def reserved(config: Config) -> Iterator[list[socket.socket]]:
    """Reserve the TCP addresses for the workers of this server, which share them (SO_REUSEPORT): the kernel would let a second server share them as well.

    Yields the sockets that hold the reservations.

    Raises:
        ConfigError: another program listens on one of them, or another server has reserved it.
    """
    with contextlib.ExitStack() as stack:
        holding: list[socket.socket] = []
        for address in distinct(check(config)):
            for host in address.hosts:
                # An abstract Unix socket of Linux, in the same network namespace as the port; it ends with this process.
                kept = stack.enter_context(socket.socket(socket.AF_UNIX))
                holding.append(kept)
                _bind(kept, f"\0openstackoid/oaktree/{host}/{address.port}", address)
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                with socket.socket(family) as probe:
                    # Without SO_REUSEPORT: this fails if any program listens there.
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    _bind(probe, (host.partition("%")[0], address.port), address)
        yield holding


def _bind(sock: socket.socket, at: Any, address: Address) -> None:
    try:
        sock.bind(at)
    except OSError as error:
        raise taken(address) from error


def taken(address: Address) -> ConfigError:
    """The error for an address that another program listens on."""
    return ConfigError(
        f"listen: {address.text}: cannot listen there: is the port taken, by another oaktree for example?"
    )


def distinct(addresses: Sequence[Address]) -> list[Address]:
    """Remove duplicates: the same host and port, or a host together with all hosts."""
    everywhere = {address.port: address for address in addresses if address.port and _ALL & set(address.hosts)}
    seen: set[tuple[str, int]] = set()
    kept = []
    for address in addresses:
        if address.port in everywhere:
            if everywhere[address.port] is address:
                kept.append(replace(address, hosts=address.hosts[:1]))
            continue
        hosts = tuple(host for host in address.hosts if not address.port or (host, address.port) not in seen)
        seen |= {(host, address.port) for host in hosts}
        if hosts or address.path:
            kept.append(replace(address, hosts=hosts))
    return kept
