"""A cloud's keys: one JSON file that all its gateways read, and what of it the world may see.

    {"version": 1,
     "signing":    [{"key": {JWK, Ed25519}, "from": 0, "until": null}],     signs our tokens; its public half is published
     "sealing":    [{"key": {JWK, oct},     "from": 0, "until": null}],     seals our users' tokens, for ourselves
     "pseudonyms": {JWK, oct}, "inner": {JWK, oct},                        see `tokens`
     "endorsements": [JWS, ...]}

Seconds are Unix time. A rotation publishes the new key at once and signs with it later, when every peer has seen it; the old
one stays published until nothing that it signed can count any more. Each new key is endorsed by the one before it, so who
trusted any key of the chain (its RFC 7638 thumbprint, the **fingerprint**) trusts those that came after it. A key that was
stolen endorses nothing: `rotate(compromised=True)` begins a new chain, whose fingerprint the peers' operators must be told.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey

from openstackoid.core.errors import ConfigError
from openstackoid.trust.rings import ALGORITHM, ENDORSEMENT, MOST_ENDORSEMENTS, public

OVERLAP: Final = 600  # seconds between the publishing of a key and its first use: peers look every 30 by default
KEPT: Final = 14 * 86400 + 7200  # seconds that an old key stays known: the longest window for expired tokens, and more
_TIGHT: Final = 0o077
_BYTES: Final = 32  # of every key that is shared with nobody


class KeysError(ConfigError):
    """Keys that cannot be read, or that others can read."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A key and when it is used: it begins at `since`, and nothing of it counts after `until` (Unix seconds)."""

    key: Any
    kid: str
    since: int
    until: int | None = None


@dataclass(frozen=True)
class Keys:
    """All keys of a cloud.

    Attributes:
        signing, sealing: oldest first.
        pseudonyms: 32 bytes; who our users are to each peer.
        inner: 32 bytes; marks what our own gateway has checked.
        endorsements: each signing key but the first, signed by the one before it.
    """

    signing: tuple[Timed, ...]
    sealing: tuple[Timed, ...]
    pseudonyms: bytes
    inner: bytes
    endorsements: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """No key in a traceback."""
        return f"Keys({self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Of the key that signs now."""
        return self.signer(int(time.time())).kid

    def signer(self, now: float) -> Timed:
        """The key that signs at a time."""
        return _current(self.signing, now)

    def sealer(self, now: float) -> Timed:
        """The key that seals at a time."""
        return _current(self.sealing, now)

    def published(self, now: float) -> dict[str, Any]:
        """What stands in `/.well-known/openstackoid`: `{"keys": {JWK set}, "endorsements": [...]}`."""
        live = [each for each in self.signing if each.until is None or each.until > now]
        # The one that signs stands first: its thumbprint is what an operator reads out.
        live.sort(key=lambda each: each.kid != self.signer(now).kid)
        return {"keys": {"keys": [public(each.key) for each in live]}, "endorsements": list(self.endorsements)}

    def listed(self) -> list[dict[str, Any]]:
        """For people: kid, use, state (next, current, old), from and until (Unix seconds)."""
        now = time.time()
        return [
            {
                "kid": each.kid,
                "use": use,
                "state": "next" if each.since > now else "current" if each is _current(ring, now) else "old",
                "from": each.since,
                "until": each.until,
            }
            for use, ring in (("sign", self.signing), ("seal", self.sealing))
            for each in ring
        ]

    def rotated(self, now: int, *, compromised: bool = False) -> "Keys":
        """The keys with new ones for signing and sealing; the old ones are left to run out, or dropped if they were stolen."""
        if compromised:
            # Pseudonyms stay: peers know our users' things by them, and they open no door.
            fresh = fresh_keys(now)
            return replace(fresh, pseudonyms=self.pseudonyms)
        if self.signing[-1].since > now:
            raise KeysError(
                f"The key {self.signing[-1].kid} is published and not used yet; it will be in {self.signing[-1].since - now} s. "
                "Wait for it, or say --compromised."
            )
        begins = now + OVERLAP
        signing, sealing = _signing(begins), _sealing(begins)
        endorsement = jws.serialize_compact(
            {"alg": ALGORITHM, "typ": ENDORSEMENT, "jwk": public(self.signer(now).key)},
            json.dumps(public(signing.key)).encode(),
            self.signer(now).key,
            algorithms=[ALGORITHM],
        )
        return replace(
            self,
            signing=(*_ended(self.signing, now, begins), signing),
            sealing=(*_ended(self.sealing, now, begins), sealing),
            endorsements=(*self.endorsements, endorsement)[-MOST_ENDORSEMENTS:],
        )

    def dump(self) -> str:
        """The file's text."""
        return json.dumps(
            {
                "version": 1,
                "signing": [_written(each) for each in self.signing],
                "sealing": [_written(each) for each in self.sealing],
                "pseudonyms": _oct(self.pseudonyms),
                "inner": _oct(self.inner),
                "endorsements": list(self.endorsements),
            },
            indent=1,
        )


def fresh_keys(now: int) -> Keys:
    """Keys of a cloud that had none."""
    return Keys((_signing(now),), (_sealing(now),), secrets.token_bytes(32), secrets.token_bytes(32))


def create(path: Path) -> Keys:
    """Make a cloud's first keys.

    Raises:
        KeysError: the file is there, or cannot be written.
    """
    keys = fresh_keys(int(time.time()))
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(keys.dump())
    except FileExistsError:
        raise KeysError(f"{path} is there already. To change the keys in it: openstackoid key rotate.") from None
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}") from None
    return keys


def rotate(path: Path, *, compromised: bool = False) -> Keys:
    """Rotate the keys of a file; it is replaced as a whole.

    Raises:
        KeysError: it cannot be read or written, or the last rotation is not over.
    """
    keys = read(path).rotated(int(time.time()), compromised=compromised)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(keys.dump())
            file.flush()
            os.fsync(file.fileno())
        found = path.stat()
        os.chown(fresh, found.st_uid, found.st_gid)  # gateways do not run as the one who rotates
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise KeysError(f"{path}: {error.strerror}") from None
    return keys


def read(path: Path) -> Keys:
    """Read a keys file.

    Raises:
        KeysError: it is missing, damaged, or open to others than its owner.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}. To make a cloud's first keys: openstackoid key new.") from None
    if mode & _TIGHT:
        raise KeysError(f"{path}: others can read it (mode {mode & 0o777:o}); expected 600: chmod 600 {path}")
    return _parsed(text, str(path))


def load(path: Path | None, variable: str | None = None, command: Sequence[str] | None = None) -> Keys:
    """Read keys from where a configuration says they are: a file, an environment variable, or what a command prints.

    Raises:
        KeysError: they are not there, or damaged.
    """
    if path is not None:
        return read(path)
    if variable is not None:
        return _parsed(os.environ.get(variable, ""), f"the variable {variable}")
    if not command:
        raise KeysError("expected a file, a variable or a command that gives the keys")
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)  # noqa: S603 - the operator's
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KeysError(f"the command {command[0]} for the keys failed: {type(error).__name__}") from None
    if done.returncode:
        raise KeysError(f"the command {command[0]} for the keys ended with {done.returncode}")
    return _parsed(done.stdout, f"what {command[0]} printed")


def _current(ring: Sequence[Timed], now: float) -> Timed:
    begun = [each for each in ring if each.since <= now]
    # A clock that was set back must not leave a cloud without a key.
    return begun[-1] if begun else ring[0]


def _ended(ring: Iterable[Timed], now: int, begins: int) -> list[Timed]:
    alive = [each for each in ring if each.until is None or each.until > now]
    return [each if each.until is not None else replace(each, until=begins + KEPT) for each in alive]


def _signing(since: int) -> Timed:
    key = OKPKey.generate_key(ALGORITHM)
    return Timed(key, key.thumbprint(), since)


def _sealing(since: int) -> Timed:
    key = OctKey.generate_key(256)
    # Not its thumbprint: a digest of a secret has no place in a token.
    return Timed(key, secrets.token_urlsafe(6), since)


def _written(timed: Timed) -> dict[str, Any]:
    jwk = {**timed.key.as_dict(private=True), "kid": timed.kid}
    return {"key": jwk, "from": timed.since, "until": timed.until}


def _oct(secret: bytes) -> dict[str, Any]:
    return dict(OctKey.import_key(secret).as_dict(private=True))


def _parsed(text: str | bytes, where: str) -> Keys:
    try:
        document = json.loads(text)
        signing = tuple(_timed(OKPKey.import_key(each["key"]), each) for each in document["signing"])
        sealing = tuple(_timed(OctKey.import_key(each["key"]), each) for each in document["sealing"])
        kept = [OctKey.import_key(document[name]).raw_value for name in ("pseudonyms", "inner")]
        whole = bool(signing and sealing) and all(each.key.is_private for each in signing)
        whole = whole and all(len(secret) == _BYTES for secret in (*kept, *(each.key.raw_value for each in sealing)))
        keys = Keys(signing, sealing, kept[0], kept[1], tuple(document.get("endorsements", []))) if whole else None
    except (ValueError, KeyError, TypeError, AttributeError, JoseError, RecursionError):
        keys = None
    if keys is None:
        # Not what is wrong with it: the text is secret.
        raise KeysError(f"{where}: expected keys as openstackoid key new writes them")
    return keys


def _timed(key: Any, entry: dict[str, Any]) -> Timed:
    kid = key.thumbprint() if isinstance(key, OKPKey) else entry["key"]["kid"]
    return Timed(key, kid, int(entry["from"]), None if entry["until"] is None else int(entry["until"]))
