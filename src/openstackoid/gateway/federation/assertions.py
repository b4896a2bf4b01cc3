"""Assertions (RFC 7523): how the gateways of two clouds show each other which cloud they are of."""

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
        self._made: dict[str, tuple[int, str]] = {}  # peer -> when, and the assertion

    def assertion_for(self, peer: str) -> str:
        """The assertion that shows a peer that this gateway is of this cloud."""
        now = int(time.time())
        begun, text = self._made.get(peer, (0, ""))
        if not begun <= now < begun + _LIFETIME // 2:
            text = tokens.assertion(self._cloud, peer, self._own.current, now, _LIFETIME)
            self._made[peer] = (now, text)
        return text

    def authenticate_peer(self, assertion: str | None) -> str:
        """The name of the peer whose gateway asks.

        Raises:
            TokenError: the assertion is missing or not good.
        """
        if not assertion:
            raise TokenError("Expected a token, or the assertion of a peer's gateway.")
        return tokens.asserted(assertion, self._peer_keys.ring, self._cloud, time.time(), self._skew)

    def clear(self) -> None:
        """Make new ones from now on: the keys changed."""
        self._made.clear()
