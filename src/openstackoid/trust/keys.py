"""A cloud's keys, and their public parts. `key_files` reads and writes them.

Their form in a file:

    {"version": 1,
     "signing":    [{"key": {JWK, Ed25519}, "from": 0, "until": null}],     signs our tokens; its public half is published
     "sealing":    [{"key": {JWK, oct},     "from": 0, "until": null}],     seals our users' tokens, for ourselves
     "pseudonyms": {JWK, oct}, "inner": {JWK, oct},                        see `tokens`
     "endorsements": [JWS, ...]}

Seconds are Unix time. A rotation publishes the new key at once and signs with it later, when every peer has seen it; the old
one stays published until no token that it signed can be valid any more. The previous key endorses each new key, so a peer that
trusts any key of the chain (its RFC 7638 thumbprint, the **fingerprint**) trusts the keys after it. A stolen key
endorses no key: `rotate(compromised=True)` begins a new chain, whose fingerprint the peers' operators must receive.
"""

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from openstackoid.core.errors import ConfigError
from openstackoid.trust.rings import ALGORITHM, ENDORSEMENT, MOST_ENDORSEMENTS, public

OVERLAP: Final = 600  # seconds between the publishing of a key and its first use: peers look every 30 by default
KEPT: Final = 14 * 86400 + 7200  # seconds that an old key stays known: more than the longest window for expired tokens


class KeysError(ConfigError):
    """Keys that cannot be read, or that others can read."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A key and its period of use: from `since`, and invalid after `until` (Unix seconds)."""

    key: Any
    kid: str
    since: int
    until: int | None = None


@dataclass(frozen=True)
class Keys:
    """All keys of a cloud.

    Attributes:
        signing, sealing: oldest first.
        pseudonyms: 32 bytes; derives our users' pseudonyms for each peer.
        inner: 32 bytes; marks tokens that our own gateway has checked.
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
        """The part of `/.well-known/openstackoid` about keys: `{"keys": {JWK set}, "endorsements": [...]}`."""
        live = [key for key in self.signing if key.until is None or key.until > now]
        # The signing key comes first: operators read out its thumbprint.
        live.sort(key=lambda key: key.kid != self.signer(now).kid)
        return {"keys": {"keys": [public(live_key.key) for live_key in live]}, "endorsements": list(self.endorsements)}

    def listed(self) -> list[dict[str, Any]]:
        """For people: kid, use, state (next, current, old), from and until (Unix seconds)."""
        now = time.time()
        return [
            {
                "kid": key.kid,
                "use": use,
                "state": "next" if key.since > now else "current" if key is _current(ring, now) else "old",
                "from": key.since,
                "until": key.until,
            }
            for use, ring in (("sign", self.signing), ("seal", self.sealing))
            for key in ring
        ]

    def rotated(self, now: int, *, compromised: bool = False) -> "Keys":
        """The keys with new ones for signing and sealing; the old ones are left to run out, or dropped if they were stolen."""
        if compromised:
            # The key for pseudonyms stays: peers have resources under these pseudonyms, which give no access.
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
                "signing": [_written(key) for key in self.signing],
                "sealing": [_written(key) for key in self.sealing],
                "pseudonyms": _oct(self.pseudonyms),
                "inner": _oct(self.inner),
                "endorsements": list(self.endorsements),
            },
            indent=1,
        )


def fresh_keys(now: int) -> Keys:
    """The first keys of a cloud."""
    return Keys((_signing(now),), (_sealing(now),), secrets.token_bytes(32), secrets.token_bytes(32))


def _current(ring: Sequence[Timed], now: float) -> Timed:
    begun = [key for key in ring if key.since <= now]
    # A clock that was set back must not leave a cloud without a key.
    return begun[-1] if begun else ring[0]


def _ended(ring: Iterable[Timed], now: int, begins: int) -> list[Timed]:
    alive = [key for key in ring if key.until is None or key.until > now]
    return [worker if worker.until is not None else replace(worker, until=begins + KEPT) for worker in alive]


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
