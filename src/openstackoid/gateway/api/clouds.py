"""Answers about clouds: this cloud, its peers, and this cloud's side of an agreement."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from openstackoid.core.catalog import Cloud
from openstackoid.core.plans import Known
from openstackoid.core.protocol import AGREEMENT_PATH, ASSERTION, PEERS_PATH, WELL_KNOWN_PATH
from openstackoid.gateway.api.endpoints import READS, Audience, Endpoint, Question
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.peers import Peers
from openstackoid.trust.agreements import Statement


class Clouds:
    """Answers about clouds.

    Args:
        known: this cloud and the others, with their labels.
        peers: the others.
        agreements: with those of other owners; None if there are none.
    """

    def __init__(self, known: Callable[[], Known], peers: Peers, agreements: Agreements | None) -> None:
        self._known = known
        self._peers = peers
        self._agreements = agreements

    def endpoints(self) -> list[Endpoint]:
        """The paths of these answers."""
        served = [
            Endpoint(WELL_KNOWN_PATH, READS, Audience.ALL, self._here),
            Endpoint(PEERS_PATH, READS, Audience.USERS, self._all_peers),
        ]
        if self._agreements is not None:
            served.append(Endpoint(AGREEMENT_PATH, READS, Audience.ALL, partial(_statement, self._agreements)))
        return served

    def peers(self) -> dict[str, Any]:
        """The peers and their state."""
        known = self._known()
        clouds = sorted(self._peers.clouds.items())
        return {"cloud": known.entry, "peers": [self._peer(name, cloud, known) for name, cloud in clouds]}

    async def _here(self, question: Question) -> dict[str, Any]:
        """What this cloud serves, with the keys that sign its federated tokens."""
        listener, agreements = question.listener, self._agreements
        if agreements is None:
            return listener.cloud.to_json()
        cloud = listener.cloud
        if listener.peers and agreements.resold:
            resold = {kind: listener.frontends.base(kind) for kind in agreements.resold}
            cloud = replace(cloud, services=resold | dict(cloud.services))
        return cloud.to_json() | agreements.keys.published(time.time())

    async def _all_peers(self, _: Question) -> dict[str, Any]:
        return self.peers()

    def _peer(self, name: str, cloud: Cloud | None, known: Known) -> dict[str, Any]:
        error, federated = self._peers.errors.get(name), self._peers.federated(name)
        described: dict[str, Any] = {
            "name": name,
            "url": self._peers.url(name),
            "token": "federated" if federated else "pass-through",
            "labels": sorted(known.labels_of(name)),
            "round_trip_ms": round(trip, 3) if (trip := known.round_trips.get(name)) is not None else None,
            "services": sorted(cloud.services) if cloud else [],
            "state": "down" if error else "up" if cloud else "unknown",
            "error": str(error) if error else None,
        }
        if federated and self._agreements is not None:
            agreement = self._agreements.all().get(name)
            statement = self._agreements.statements.get(name)
            described["agreement"] = {
                "ours": agreement.state if agreement else None,
                "theirs": statement.state if statement else "unknown",
                "fingerprint": agreement.fingerprint if agreement else None,
                "offered_here": agreement.grant.offered if agreement else [],
                "offered_there": list(statement.services) if statement else [],
            }
        return described


async def _statement(agreements: Agreements, question: Question) -> dict[str, Any]:
    """Our side of the agreement with the peer that sent the request.

    Raises:
        TokenError: the request is not from a peer.
    """
    peer = agreements.assertions.authenticate_peer(question.request.headers.get(ASSERTION))
    agreement = agreements.all()[peer]
    grant = agreement.grant
    return Statement(agreement.id, agreement.state, tuple(grant.offered), tuple(sorted(grant.roles))).to_json()
