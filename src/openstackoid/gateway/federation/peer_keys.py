"""The public keys of peers that descend from the agreed key."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from openstackoid.core.errors import OpenStackoidError, PeerAnswerError, TokenError
from openstackoid.gateway.federation.generations import Generations
from openstackoid.gateway.federation.own_keys import OwnKeys
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.rings import Ring
from openstackoid.trust.store import Store

_LOG: Final = logging.getLogger(__name__)


class PeerKeys:
    """Verification keys by cloud.

    Args:
        cloud: this cloud's name.
        own: its keys.
        agreements: peer -> our side of the agreement, as it is now.
        generations: changed when keys are added or removed.
        store: keeps the keys over a restart.
    """

    def __init__(
        self,
        cloud: str,
        own: OwnKeys,
        agreements: Callable[[], Mapping[str, Agreement]],
        generations: Generations,
        store: Store,
    ) -> None:
        self._cloud = cloud
        self._own = own
        self._agreements = agreements
        self._generations = generations
        self._store = store
        self._documents: dict[str, bytes] = {}  # peer -> digest of the keys that it published last
        self._rings: dict[tuple[str, str], Ring] = {}  # peer and agreed fingerprint -> keys
        self._pending: set[asyncio.Future[None]] = set()

    def ring(self, cloud: str) -> Mapping[str, Any]:
        """Public keys by kid, of this cloud or of a peer.

        Raises:
            TokenError: the cloud is not a peer, or its keys were never seen.
        """
        if cloud == self._cloud:
            return {pair.kid: pair.key for pair in self._own.current.signing}
        agreement = self._agreements().get(cloud)
        if agreement is None:
            raise TokenError(f"{self._cloud} has no agreement with {cloud}.")
        ring = self._rings.get((cloud, agreement.fingerprint))
        if ring is None:
            raise TokenError(f"{self._cloud} has never seen keys of {cloud} that it trusts.")
        return ring.keys

    def accept_keys(self, peer: str, document: Any) -> None:
        """Accept the keys that a peer publishes, if they descend from the agreed one.

        Args:
            peer: its name.
            document: JSON as the peer published it.

        Raises:
            PeerAnswerError: they do not.
        """
        agreement = self._agreements().get(peer)
        if agreement is None:
            return
        key = (peer, agreement.fingerprint)
        published = {name: document.get(name) for name in ("keys", "endorsements")}
        digest = hashlib.sha256(json.dumps(published, sort_keys=True).encode()).digest()
        if self._documents.get(peer) == digest and key in self._rings:
            return
        known = self._rings.get(key)
        try:
            ring = self._rings[key] = Ring(published, agreement.fingerprint)
        except ValueError as error:
            # The peer has withdrawn its old keys: one may have been stolen, and must not count until an operator accepts the new key.
            if self._rings.pop(key, None) is not None:
                self._generations.changed([peer])
                self._remember(peer, published)
            raise PeerAnswerError(
                f"{peer}'s keys are not those of the agreement: {error}. If its operators say that they began anew: "
                f"openstackoid peer trust {peer} --fingerprint ..."
            ) from None
        self._documents[peer] = digest
        if known is None or known.keys.keys() != ring.keys.keys():
            self._generations.changed([peer])
            self._remember(peer, published)

    def restore(self, agreements: Mapping[str, Agreement], documents: Mapping[str, Any]) -> set[str]:
        """Load stored keys of peers whose keys are not known yet.

        Args:
            agreements: peer -> agreement.
            documents: peer -> the stored document.

        Returns:
            The peers whose keys became known by this call.
        """
        restored = set()
        for name, document in documents.items():
            agreement = agreements.get(name)
            if agreement is None or (name, agreement.fingerprint) in self._rings:
                continue
            try:
                self._rings[name, agreement.fingerprint] = Ring(document, agreement.fingerprint)
            except ValueError:
                continue  # of an older agreement
            restored.add(name)
        return restored

    async def finish(self) -> None:
        """Wait until pending writes to the store are done."""
        await asyncio.gather(*self._pending, return_exceptions=True)

    def _remember(self, peer: str, published: Mapping[str, Any]) -> None:
        """Write into the database in a thread; if the write fails, the keys are not stored."""

        async def work() -> None:
            try:
                await asyncio.to_thread(self._store.remember_keys, peer, published)
            except OpenStackoidError as error:
                _LOG.error("%s: %s", self._cloud, error)

        task = asyncio.ensure_future(work())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
