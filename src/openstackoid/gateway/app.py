"""The gateway itself: one request in, one decision, one answer out.

place (which service) -> who (whose token) -> scope (which clouds) -> decide -> Local:  the backend
                                                                            -> Remote: the peer's frontend
                                                                            -> Reject: an error in OpenStack's JSON form

What Local and Remote do with tokens depends on who asks: `senders`.
"""

import asyncio
from typing import Final

from aiohttp import web

from openstackoid.core import errors
from openstackoid.core.catalog import Cloud
from openstackoid.core.routing import CloudMap, Facts, Local, Reject, Remote, decide
from openstackoid.core.scope import Scope
from openstackoid.gateway.api import endpoints as own
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry import scoping
from openstackoid.gateway.entry.answers import refusal, request_id
from openstackoid.gateway.entry.calls import NO_SCOPE, Border, Call
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.entry.listeners import doors as doors_of
from openstackoid.gateway.fastpath.present import Present
from openstackoid.gateway.fastpath.teacher import FastPath
from openstackoid.gateway.federation.agreements import Agreements, Target
from openstackoid.gateway.federation.local_catalog import LocalCatalog, is_token
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.senders.foreign_user import Visitor
from openstackoid.gateway.senders.senders import Sender, Senders
from openstackoid.gateway.senders.token_body import missing
from openstackoid.gateway.senders.treaty import Treaty
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.telemetry import metrics
from openstackoid.gateway.telemetry.audit import CLIENT_GONE, Record
from openstackoid.gateway.telemetry.writer import LineWriter
from openstackoid.gateway.upstream import backends
from openstackoid.gateway.upstream.backends import Backends
from openstackoid.gateway.upstream.forward import forward
from openstackoid.gateway.upstream.linking import Linking
from openstackoid.gateway.upstream.pool import Pool, Upstream
from openstackoid.gateway.upstream.responses import CutError
from openstackoid.trust import tokens

_FAILED: Final = 400
_REFUSED: Final = frozenset({401, 403})


class Gateway:
    """Everything that one configuration comes to; made anew when it is read again.

    Attributes:
        config: what it was made from.
        peers: the clouds that it knows.
        treaty: what is agreed with those of other owners; None if there are none.
        doors: ADDRESS:PORT -> what is served there.
        idle: set while no request is under way.
    """

    def __init__(self, config: Config, found: Backends, pool: Pool, previous: "Gateway | None") -> None:
        self.config = config
        self._running = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.here = config.here
        self._pool = pool
        self._audit = LineWriter(config.cloud, config.audit)
        self.catalog: LocalCatalog = LocalCatalog(
            config, dict(found.endpoints), previous.catalog.learned if previous else None
        )
        self.doors = doors_of(config)
        self._backends = {
            kind: Upstream(
                f"{config.cloud}'s {kind} service", base, errors.BackendUnreachableError, errors.BackendTimeoutError
            )
            for kind, base in found.bases.items()
        }
        self.treaty: Treaty | None = None
        if config.trust:
            before = previous.treaty.agreements if previous and previous.treaty else None
            agreements = Agreements(config, self._moved, before)
            self.treaty = Treaty(config, agreements, found.bases.get("identity"), pool, self.catalog)
        self.peers: Peers = Peers(
            config.timeouts,
            pool.peers,
            self._targets(),
            self.treaty.agreements if self.treaty else None,
            previous.peers.clouds if previous else {},
        )
        self._senders = Senders(config.cloud, self.catalog, self.treaty, self.peers)
        self._linking = Linking(config.here)
        present = Present(self._clouds, self._generation, self._age)
        self._fast = FastPath(config.haproxy.directory, self._reachable, present) if config.haproxy else None

    @classmethod
    async def make(cls, config: Config, previous: "Gateway | None" = None) -> "Gateway":
        """A gateway that is ready to serve.

        Raises:
            ConfigError: the backends cannot be found, or a certificate or a key cannot be read.
            OpenStackoidError: the database with the agreements cannot be used.
        """
        pool = Pool(config)
        try:
            found = await backends.find(config, pool.shared)
            gateway = cls(config, found, pool, previous)
            if gateway.treaty:
                await gateway.treaty.agreements.start()
        except BaseException:
            await pool.close()
            raise
        gateway.peers.start()
        if previous is None:
            gateway.follow()
        return gateway

    def follow(self) -> None:
        """Teach HAProxy, and have it forget what another gateway taught: that one must have stopped."""
        if self._fast:
            self._fast.start()

    async def unfollow(self) -> None:
        """Teach nobody any more: another gateway has taken over, and knows better."""
        if self._fast:
            await self._fast.stop()

    async def close(self) -> None:
        """Let go of everything."""
        await self.peers.stop()
        await self.unfollow()
        if self.treaty:
            await self.treaty.agreements.stop()
        await self._pool.close()
        await asyncio.to_thread(self._audit.close)

    @property
    def cloud_map(self) -> CloudMap:
        """This cloud and its peers, as far as they are known now."""
        return CloudMap(self.here, self.peers.clouds)

    def _targets(self) -> dict[str, Target]:
        """Where every peer is, those of the configuration and those of the database."""
        plain = {
            name: Target(peer.url, federated=False, services=peer.services)
            for name, peer in self.config.peers.items()
            if peer.token == "pass-through"  # noqa: S105 - a mode
        }
        agreed = self.treaty.agreements.targets if self.treaty else {}
        given = {name: peer.services for name, peer in self.config.peers.items()}
        return {
            name: Target(target.url, federated=True, services=given.get(name)) for name, target in agreed.items()
        } | plain

    def _reachable(self) -> tuple[dict[str, Cloud], dict[str, str]]:
        """Peers that HAProxy may reach directly, and the names in their certificates."""
        names = {name: peer.tls_name for name, peer in self.config.peers.items() if peer.tls_name}
        return {name: cloud for name, cloud in self.peers.clouds.items() if cloud}, names

    def _clouds(self) -> list[str]:
        """Names of this cloud and its peers."""
        return [self.here.name, *self.peers.clouds]

    def _generation(self, cloud: str) -> object:
        """Differs from what it was when other decisions may be made that concern a cloud."""
        agreements = self.treaty.agreements if self.treaty else None
        agreed = (agreements.generation(cloud), agreements.statements.get(cloud)) if agreements else None
        return agreed, self.peers.clouds.get(cloud)

    def _age(self) -> float:
        """Seconds since it was known whether agreements had changed."""
        return self.treaty.agreements.age if self.treaty else 0.0

    def _moved(self) -> None:
        self.peers.follow(self._targets())

    async def handle(self, address: str, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request that arrived at ADDRESS:PORT; every outcome is an answer and a line of audit."""
        started = asyncio.get_running_loop().time()
        self._running += 1
        self.idle.clear()
        record = Record(
            cloud=self.here.name,
            client=request.headers.get(heads.CLIENT, request.remote) if self.config.haproxy else request.remote,
            method=request.method,
            path=request.raw_path.partition("?")[0],
            global_request_id=request_id(request.headers.get(heads.REQUEST_ID)),
        )
        try:
            try:
                response = await self._serve(address, request, record)
            except errors.OpenStackoidError as error:
                response, record.error = refusal(error), error.code
            record.status, record.request_id = response.status, response.headers.get(heads.REQUEST_ID)
        except CutError:
            record.status, record.error = errors.PeerError.status, "upstream.cut"
            raise
        except (asyncio.CancelledError, ConnectionError):
            record.status = CLIENT_GONE
            raise
        except Exception:
            record.status, record.error = 500, errors.OpenStackoidError.code
            raise
        finally:
            self._running -= 1
            if not self._running:
                self.idle.set()
            record.ms = (asyncio.get_running_loop().time() - started) * 1000
            self._audit.write(record.line())
            metrics.count(record)
        return response

    async def _serve(self, address: str, request: web.BaseRequest, record: Record) -> web.StreamResponse:
        target, door = request.raw_path, self.doors[address]
        if own.is_own(target):
            return await own.answer(self, door, request)
        place = door.frontends.place(address, target)
        record.service, record.saved_scope = place.service, place.saved
        if door.peers:
            record.path = place.path.partition("?")[0]  # as in the line of the cloud that it came from
        headers = heads.incoming(request.headers)
        call = Call(request, record, door, place, heads.hops(request.headers), headers)
        given = scoping.take(call)
        if place.service == "identity" and call.subject is not None and tokens.is_federated(call.subject):
            return await self._validated(call, call.subject)
        sender = self._senders.of(call)
        if sender is None:
            scoping.choose(call, given, self.config)
        else:
            scoping.bind(call, given, sender.claims.scope)
        record.scope = call.scope or None
        if (
            sender is None
            and call.scope
            and not call.hops
            and request.method == "GET"
            and is_version_document(place.path)
        ):
            # keystoneauth1 hides what went wrong with a version document (discover.py, `get_version_data`) and tells
            # its user of missing versions instead. So our own service answers, and the request behind it gets the error.
            kept = headers.copy()
            try:
                answer = await self._route(call, sender)
            except (errors.RoutingError, errors.PeerError, errors.TrustError):
                pass
            else:
                # A peer may refuse as well, before we know that it does not agree any more; or only its HAProxy is left.
                refused = record.decision == "remote" and answer.status >= _FAILED
                if answer.prepared or not refused:
                    return answer
            call.headers, call.scope, call.sender = kept, NO_SCOPE, NO_SCOPE
        return await self._route(call, sender)

    async def _validated(self, call: Call, subject: str) -> web.StreamResponse:
        """Answer what a federated token is: its claims say it, no other cloud is asked."""
        record = call.record
        record.decision, record.peer = "local", self.here.name
        if self.treaty is None or call.door.peers:
            return missing("federated tokens are not known here")
        try:
            visitor = self.treaty.visitors.read(subject)
        except (errors.TokenError, errors.AgreementError) as error:
            # keystonemiddleware takes 401 for its own token's end, and 403 for a Keystone that is ill.
            record.error = error.code
            return missing(str(error))
        return await self.treaty.visitors.validated(visitor, call, call.auth)

    async def _route(self, call: Call, sender: Sender) -> web.StreamResponse:
        record, scope = call.record, call.scope
        guest = sender if call.door.peers and call.place.service == "image" and isinstance(sender, Visitor) else None
        begun = self._fast.begun(guest) if guest and self._fast else {}
        if isinstance(sender, Visitor) and self.treaty:
            await self.treaty.visitors.admit(sender, call)
        if scope:
            await self._know(scope, call.place.service, record)
        decision = decide(Facts(call.place.service, call.request.method, call.path, call.hops), scope, self.cloud_map)
        record.decision, record.peer = type(decision).__name__.lower(), decision.cloud
        if isinstance(decision, Reject):
            raise decision.error
        call.headers[heads.REQUEST_ID] = record.global_request_id
        if call.hops:
            call.headers.pop(heads.SERVICE, None)
        if isinstance(decision, Local):
            way = await self._senders.local(call, sender)
            upstream = self._backends[call.place.service]
            foreign = call.border is Border.OUT
            links = self._linking.here(call.door, call.place, self._via(call), foreign=foreign)
        else:
            way = await self._senders.remote(call, sender, decision)
            upstream = Upstream(
                decision.cloud, decision.url, errors.PeerUnreachableError, errors.PeerTimeoutError, far=True
            )
            peer = self.peers.clouds.get(decision.cloud)
            if peer is None:
                raise errors.PeerUnreachableError(f"{decision.cloud} is a peer of {self.here.name} no more.")
            links = self._linking.there(peer, call.door, call.place, foreign=call.border is Border.IN)
        if self._fast and sender is None and not (call.door.peers or call.hops or call.place.saved or call.subject):
            whole, federated = scoping.explicit(scope, self.here.name), self.peers.federated(decision.cloud)
            self._fast.learned(call, decision, way, whole, self.cloud_map, federated=federated)
        if self._fast and self.treaty and guest and isinstance(decision, Local):
            self._fast.visited(guest, call, self.treaty.agreements, self.cloud_map, begun)
        response = await forward(call.request, self._pool, upstream, call, way, links)
        revoked = call.subject if sender is None and call.request.method == "DELETE" and is_token(call.path) else None
        if revoked and response.status < _FAILED:
            # The answer has no body, so it has not gone out yet: forgotten before the user knows it.
            await self._revoked(revoked)
        if isinstance(decision, Remote) and response.status in _REFUSED and self.peers.federated(decision.cloud):
            self.peers.doubt(decision.cloud)
        return response

    async def _revoked(self, token: str) -> None:
        if self.treaty:
            self.treaty.mint.forget(token)
        if self._fast:
            await self._fast.forget(token)

    def _via(self, call: Call) -> Cloud | None:
        """The cloud that sent a request on, if it is a peer."""
        return self.peers.clouds.get(call.hops[-1]) if call.hops else None

    async def _know(self, scope: Scope, service: str, record: Record) -> None:
        """Ask a peer that never answered what it serves, when the request is for it."""
        cloud = scope.only(service)
        if cloud is not None and cloud in self.peers.clouds:
            record.decision, record.peer = "reject", cloud  # until it answers
            await self.peers.ensure(cloud)
