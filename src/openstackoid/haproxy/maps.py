"""Five maps with the entries that the gateway teaches HAProxy; `image_downloads` has the sixth. Pure.

    here.map     METHOD|SERVICE|SCOPE  ->  what a scope means for requests that this cloud serves
                     L|!SCOPE!{...}   the explicit scope goes on the token
                     S|!SCOPE!{...}   the same, and it is the very scope of the key: a token that carries it stays as it is
                     P|               the token is plain: for Keystone, and where the scope leads nowhere else
    ways.map     METHOD|SERVICE|SCOPE  ->  to which peer of the same owner it leads
                     T<cloud>|<service>!{...}   the token passes, the explicit scope goes along
    tokens.map   TAIL OF THE TOKEN|file|SCOPE  ->  EXPIRY:USER:PROJECT:AGREEMENT:R<cloud>|image:::::TOKEN
                 TAIL OF THE TOKEN|region|REGION  ->  the same, for a path in a region (/scope/REGION/image/...)
                     for image data of another owner: what replaces a token there, until when (Unix milliseconds); whose it is,
                     for the audit; and to which peer the scope leads. The token is at a fixed place (`PREFIX_WIDTH`), since looking
                     for it letter by letter would cost as much as everything else
    peers.map    CLOUD|SERVICE    ->  [TP]PREFIX|IP|PORT|HOST|TLS-NAME    where a peer's service is, by TLS or plainly
    leased.map   until            ->  EXPIRY    until when the others count (Unix milliseconds), if nobody puts it off

HAProxy cannot parse scopes: a request whose scope's exact text is not in a map goes to the gateway.

Lines that open less than those of an earlier version have another form, so that neither a HAProxy nor a gateway of that version makes
anything of the other's: before, `tokens.map` had the service where `file` stands, and `ways.map` lines with `R` for other owners.
"""

import contextlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

# The characters that need no quotes in a map's line and in a command of the admin socket.
_WRITABLE: Final = re.compile(r"[!-:=-\[\]-~]{1,4096}\Z")
# Fernet: version, time, vector, blocks of 16 bytes, and an HMAC of 32 (Fernet specification; keystone/token/providers/fernet).
_FERNET: Final = re.compile(r"gAAAAA[\w-]+={0,2}\Z", re.ASCII)
_FRAME: Final = 1 + 8 + 16 + 32
_BLOCK: Final = 16
_HMAC: Final = 43  # characters
MAX_SCOPE: Final = 4096  # characters that HAProxy takes
TIME: Final = 13  # digits of Unix milliseconds
PREFIX_WIDTH: Final = 256  # characters before the token in tokens.map
FILE: Final = "file"  # in a key of tokens.map: image data, and nothing else
REGION: Final = "region"  # the same, in a region: no text of a scope can stand for its name, or the other way round
TAIL_START: Final = 120  # where the part of a token begins that is its key
LEASE: Final = "until"  # the key in leased.map
PLAIN: Final = "P|"  # the only value in here.map of this length
METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


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


def way(service: str, scope: str, *, method: str) -> str:
    """The key of a way."""
    return f"{method}|{service}|{scope}"


def user(token: str, scope: str, kind: str = FILE) -> str | None:
    """The key of a token: its end, for image data, and under which scope. None if it is not one that HAProxy may replace.

    Args:
        token: the user's own.
        scope: its text, or the name of a region.
        kind: which of them: `FILE` or `REGION`.

    A Fernet token ends with an HMAC: 256 bits that cannot be guessed without the whole token. Two tokens of other kinds might have the same end.
    """
    length = len(token.rstrip("="))
    size = length * 3 // 4 - _FRAME
    if _FERNET.match(token) is None or length < TAIL_START + _HMAC or size <= 0 or size % _BLOCK:
        return None
    return f"{token[TAIL_START:]}|{kind}|{scope}"


def token(until: float, ids: tuple[str, str, str], cloud: str, federated: str) -> str | None:
    """The value of a token; None if it cannot be written.

    Args:
        until: Unix seconds.
        ids: of user, project and agreement.
        cloud: of another owner, where the token is valid.
        federated: the token that replaces the user's token.
    """
    parts = (*ids, f"R{cloud}|image")
    head = ":".join((f"{int(until * 1000):0{TIME}}", *parts, ""))
    if len(head) > PREFIX_WIDTH or not all(is_writable(part) and ":" not in part for part in parts):
        return None
    return head.ljust(PREFIX_WIDTH, ":") + federated


def lease(until: float) -> Entry:
    """The entry with the time (Unix seconds) until which all other entries count."""
    return Entry(LEASE, f"{int(until * 1000):0{TIME}}")


def places(
    peers: Mapping[str, Mapping[str, str]], addresses: Mapping[str, str], names: Mapping[str, str]
) -> list[Entry]:
    """`peers.map`.

    Args:
        peers: cloud -> service type -> base URL; those that HAProxy may reach directly.
        addresses: host of a URL -> its IP address; services of hosts that are missing are left out.
        names: cloud -> name in its certificate, where that is not the URL's host.
    """
    entries = []
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
            letter = "T" if tls else "P"
            place = f"{letter}{parts.path}|{ip}|{port}|{parts.netloc}|{name}"
            if is_writable(place):  # others go to the gateway
                entries.append(Entry(f"{cloud}|{kind}", place))
    return entries


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


def text(entries: list[Entry]) -> str:
    """A map's file."""
    return "".join(f"{entry.key} {entry.value}\n" for entry in entries)
