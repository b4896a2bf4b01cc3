"""Three maps, by which HAProxy knows what the gateway taught it; the fourth is `door`'s. Pure.

    ways.map     SERVICE|R|SCOPE  ->  what a scope means for a service, reading (R) or writing (W)
                     L|!SCOPE!{...}   this cloud; the explicit scope goes on the token
                     S|!SCOPE!{...}   the same, and it is the very scope of the key: a token that carries it stays as it is
                     P|               this cloud's Keystone, which reads plain tokens
                     T<cloud>|{...}   a peer of the same owner: the token passes, the explicit scope goes along
                     R<cloud>|        a peer of another owner: the token is replaced
    tokens.map   SHA1(TOKEN)|R<cloud>|SCOPE  ->  EXPIRY:USER:PROJECT:AGREEMENT:::::TOKEN
                     what replaces a token there, until when (Unix milliseconds); whose it is, for the audit. The token is at
                     a fixed place (`HEAD`), since looking for it letter by letter would cost as much as everything else
    peers.map    CLOUD|SERVICE    ->  PREFIX|IP|PORT|HOST|TLS-NAME    where a peer's service is

HAProxy has no scope language: a scope that it was not taught, letter by letter, goes to the gateway.
"""

import contextlib
import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

# What stands in a map's line and in a command of the admin socket without being quoted.
_WRITABLE: Final = re.compile(r"[!-:=-\[\]-~]{1,4096}\Z")
# Plain tokens without a scope, a mark or a signature, which rules take for what they are (`rules`, _BARE).
_BARE: Final = re.compile(r"[^!~.|\x00-\x20\x7f-\U0010ffff]+\Z")
LONGEST_SCOPE: Final = 4096  # characters that HAProxy takes
TIME: Final = 13  # digits of Unix milliseconds
HEAD: Final = 192  # characters before the token in tokens.map


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a map."""

    key: str
    value: str

    def __post_init__(self) -> None:
        if not is_writable(self.key) or not is_writable(self.value):
            raise ValueError("a map's keys and values have neither spaces nor ; < \\ nor control characters")


def is_writable(text: str) -> bool:
    """Whether a text can stand in a map as it is."""
    return _WRITABLE.match(text) is not None


def is_bare(token: str) -> bool:
    """Whether a token is one that HAProxy may replace."""
    return _BARE.match(token) is not None


def way(service: str, scope: str, *, reads: bool) -> str:
    """The key of a way."""
    return f"{service}|{'R' if reads else 'W'}|{scope}"


def user(token: str, cloud: str, scope: str) -> str:
    """The key of a token: HAProxy's `sha1,hex`, its way and the scope. Nobody knows the token, to find another text of its digest."""
    return f"{hashlib.sha1(token.encode(), usedforsecurity=False).hexdigest().upper()}|R{cloud}|{scope}"


def token(until: float, ids: tuple[str, str, str], federated: str) -> str | None:
    """The value of a token; None if it cannot be written.

    Args:
        until: Unix seconds.
        ids: of user, project and agreement.
        federated: what replaces the user's token.
    """
    head = ":".join((f"{int(until * 1000):0{TIME}}", *ids, ""))
    if len(head) > HEAD or not all(is_writable(each) and ":" not in each for each in ids):
        return None
    return head.ljust(HEAD, ":") + federated


def places(
    peers: Mapping[str, Mapping[str, str]], addresses: Mapping[str, str], names: Mapping[str, str]
) -> list[Entry]:
    """`peers.map`.

    Args:
        peers: cloud -> service type -> base URL; those that HAProxy may reach directly.
        addresses: host of a URL -> its IP address; services of hosts that are missing are left out.
        names: cloud -> name in its certificate, where that is not the URL's host.
    """
    found = []
    for cloud, services in sorted(peers.items()):
        for kind, url in sorted(services.items()):
            parts = urlsplit(url)
            ip = addresses.get(parts.hostname or "")
            if ip is None:
                continue
            tls = parts.scheme == "https"
            port = parts.port or (443 if tls else 80)
            name = names.get(cloud, parts.hostname or "") if tls else ""
            if tls and _is_address(name):
                continue  # HAProxy looks for names in certificates only
            found.append(Entry(f"{cloud}|{kind}", f"{parts.path}|{ip}|{port}|{parts.netloc}|{name}"))
    return found


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


def text(entries: list[Entry]) -> str:
    """A map's file."""
    return "".join(f"{entry.key} {entry.value}\n" for entry in entries)
