"""Assertions (RFC 7523): the gateways of two clouds authenticate to each other."""

import time
from typing import Final

from openstackoid.core.errors import TokenError
from openstackoid.gateway.federation.own_keys import OwnKeys
from openstackoid.gateway.federation.peer_keys import PeerKeys
from openstackoid.trust import tokens

_LIFETIME: Final = 300  # seconds


class Assertions:
    """Makes assertions of this cloud, and verifies those of peers.

    Args:
        cloud: this cloud's name.
        own: its keys.
        peer_keys: those of its peers.
        skew: seconds by which clocks may differ.
    """

    def __init__(self, cloud: str, own: OwnKeys, peer_keys: PeerKeys, skew: float) -> None:
        self._cloud = cloud
        self._own = own
        self._peer_keys = peer_keys
        self._skew = skew
        self._made: dict[str, tuple[int, str]] = {}  # peer -> when it was made, and the assertion

    def assertion_for(self, peer: str) -> str:
        """The assertion that authenticates this cloud's gateway to a peer."""
        now = int(time.time())
        begun, text = self._made.get(peer, (0, ""))
        if not begun <= now < begun + _LIFETIME // 2:
            text = tokens.assertion(self._cloud, peer, self._own.current, now, _LIFETIME)
            self._made[peer] = (now, text)
        return text

    def authenticate_peer(self, assertion: str | None) -> str:
        """The name of the peer whose gateway sent the assertion.

        Raises:
            TokenError: the assertion is missing or invalid.
        """
        if not assertion:
            raise TokenError("Expected a token, or the assertion of a peer's gateway.")
        return tokens.asserted(assertion, self._peer_keys.ring, self._cloud, time.time(), self._skew)

    def clear(self) -> None:
        """Drop cached assertions: the keys changed."""
        self._made.clear()
