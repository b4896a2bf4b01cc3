"""The gateway itself: one request in, one decision, one answer out.

place (which service) -> who (whose token) -> scope (which clouds) -> decide -> Local:  the backend
                                                                            -> Remote: the peer's frontend
                                                                            -> Reject: an error in OpenStack's JSON form

What Local and Remote do with tokens depends on who asks: `residents`, `visitors`, `returning`.
"""

import asyncio
import ssl
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web

from openstackoid.core import errors
from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Cloud
from openstackoid.core.routing import Facts, Federation, Local, Reject, Remote, decide
from openstackoid.core.scope import Name, Scope
from openstackoid.gateway import backends, metrics, own
from openstackoid.gateway import headers as heads
from openstackoid.gateway.agreements import Agreements, Target
from openstackoid.gateway.answers import refusal, request_id
from openstackoid.gateway.audit import CLIENT_GONE, Audit, Record
from openstackoid.gateway.backends import Backends
from openstackoid.gateway.bodies import missing
from openstackoid.gateway.calls import NO_SCOPE, Call, Way
from openstackoid.gateway.config import Config
from openstackoid.gateway.doors import doors as doors_of
from openstackoid.gateway.fastpath import FastPath
from openstackoid.gateway.forward import CutError, Pool, Upstream, forward
from openstackoid.gateway.frontends import Place, is_version_document
from openstackoid.gateway.identity import LocalCatalog, is_token
from openstackoid.gateway.linking import Linking
from openstackoid.gateway.peers import Peers
from openstackoid.gateway.residents import Residents, host
from openstackoid.gateway.returning import Returning
from openstackoid.gateway.treaty import Treaty
from openstackoid.gateway.visitors import Visitor
from openstackoid.trust import tokens

_FAILED: Final = 400
_REFUSED: Final = frozenset({401, 403})
# Whose request it is; None: a user with a token of this cloud, or without one.
Sender: TypeAlias = Visitor | Returning | None


@lru_cache(maxsize=512)
def _parsed(text: str) -> Scope:
    return scopes.parse(text)


@lru_cache(maxsize=512)
def _explicit(scope: Scope, entry: str) -> Scope:
    return scope.explicit(entry)


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
        self.audit = Audit(config.audit)
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
        self._residents = Residents(
            config.cloud,
            self.catalog,
            self.treaty.mint if self.treaty else None,
        )
        self.peers: Peers = Peers(
            config.timeouts,
            pool.peers,
            self._targets(),
            self.treaty.agreements if self.treaty else None,
            previous.peers.clouds if previous else {},
        )
        self._linking = Linking(config.here)
        self._fast = FastPath(config.haproxy.directory, self._reachable) if config.haproxy else None

    @classmethod
    async def make(cls, config: Config, previous: "Gateway | None" = None) -> "Gateway":
        """A gateway that is ready to serve.

        Raises:
            ConfigError: the backends cannot be found, or a certificate or a key cannot be read.
            OpenStackoidError: the database with the agreements cannot be used.
        """
        pool = Pool(config.timeouts, trusted(config))
        try:
            found = await backends.find(config, pool.shared)
            gateway = cls(config, found, pool, previous)
            if gateway.treaty:
                await gateway.treaty.agreements.start()
        except BaseException:
            await pool.close()
            raise
        gateway.peers.start()
        if gateway._fast:
            gateway._fast.start(gateway._generation)
        return gateway

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
        self.audit.close()

    @property
    def federation(self) -> Federation:
        """This cloud and its peers, as far as they are known now."""
        return Federation(self.here, self.peers.clouds)

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

    def _generation(self) -> object:
        """Differs from what it was when other decisions may be made."""
        agreed = self.treaty.agreements.generation if self.treaty else 0
        said = tuple(self.treaty.agreements.statements.items()) if self.treaty else ()
        return agreed, said, tuple(self.peers.clouds.items())

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
            self.audit.write(record)
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
        given_on_token = (headers.get(heads.AUTH) or "").partition(heads.MARK)[2] or None
        call.auth, auth_scope = _token(headers.pop(heads.AUTH, None))
        call.subject, subject_scope = _token(headers.pop(heads.SUBJECT, None))
        header = headers.pop(heads.SCOPE, None)
        if place.service == "identity" and call.subject is not None and tokens.is_federated(call.subject):
            return await self._validated(call, call.subject)
        sender = self._sender(call)
        if sender is None:
            call.scope, call.sender = self._scope(header, auth_scope, subject_scope, place)
            call.text = header if header is not None else given_on_token
        else:
            call.scope = call.sender = sender.claims.scope
            given = _parsed(header) if header is not None else auth_scope
            if given is not None and given != call.scope:
                raise errors.TokenScopeError(
                    "The scope is signed into the token: nobody on the way can give another one."
                )
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

    def _sender(self, call: Call) -> Sender:
        """Whose request it is.

        Raises:
            TrustError: a federated token that does not count; or, where peers call, no federated token.
        """
        if self.treaty is None:
            return None
        if call.auth is not None and tokens.is_federated(call.auth):
            return self.treaty.sender(call.auth, call)
        if call.door.peers:
            self.treaty.stranger(call)
        return None

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
        if isinstance(sender, Visitor) and self.treaty:
            await self.treaty.visitors.admit(sender, call)
        if scope:
            await self._know(scope, call.place.service, record)
        decision = decide(Facts(call.place.service, call.request.method, call.path, call.hops), scope, self.federation)
        record.decision, record.peer = type(decision).__name__.lower(), decision.cloud
        if isinstance(decision, Reject):
            raise decision.error
        call.headers[heads.REQUEST_ID] = record.global_request_id
        if call.hops:
            call.headers.pop(heads.SERVICE, None)
        if isinstance(decision, Local):
            way = await self._local(call, sender)
            upstream, links = (
                self._backends[call.place.service],
                self._linking.here(call.door, call.place, self._via(call)),
            )
        else:
            way = await self._remote(call, sender, decision)
            upstream = Upstream(
                decision.cloud, decision.url, errors.PeerUnreachableError, errors.PeerTimeoutError, far=True
            )
            links = self._linking.there(self.peers.clouds[decision.cloud], call.door, call.place)
        if self._fast and sender is None and not (call.door.peers or call.hops or call.place.saved or call.subject):
            explicit, federated = _explicit(scope, self.here.name), self.peers.federated(decision.cloud)
            self._fast.learned(call, decision, way, explicit, self.federation, federated=federated)
        response = await forward(call.request, self._pool, upstream, call, way, links)
        revoked = call.subject if sender is None and call.request.method == "DELETE" and is_token(call.path) else None
        if revoked and response.status < _FAILED:
            await self._revoked(
                revoked
            )  # the answer has no body, so it has not gone out yet: forgotten before the user knows it
        if isinstance(decision, Remote) and response.status in _REFUSED and self.peers.federated(decision.cloud):
            self.peers.doubt(decision.cloud)
        return response

    async def _revoked(self, token: str) -> None:
        if self.treaty:
            self.treaty.mint.forget(token)
        if self._fast:
            await self._fast.forget(token)

    async def _local(self, call: Call, sender: Sender) -> Way:
        """To our backend, with what it may get."""
        if isinstance(sender, Visitor) and self.treaty:
            way = await self.treaty.visitors.local(sender, call)
        elif isinstance(sender, Returning) and self.treaty:
            way = await self.treaty.homecoming.local(sender, call)
        else:
            way = self._residents.local(call, _explicit(call.scope, self.here.name))
        frontend = call.door.cloud.services[call.place.service]
        if call.door.https or frontend.startswith("https://"):
            call.headers["X-Forwarded-Proto"] = urlsplit(frontend).scheme
        return way

    async def _remote(self, call: Call, sender: Sender, decision: Remote) -> Way:
        """To a peer, with what may leave this cloud."""
        call.headers.pop(heads.SERVICE, None)
        call.headers["Host"] = host(decision.url)
        explicit = _explicit(call.scope, self.here.name)
        federated = self.peers.federated(decision.cloud)
        if isinstance(sender, Returning):
            raise errors.RuleError(f"The token came home to {self.here.name}, and goes nowhere else.")
        if isinstance(sender, Visitor) and self.treaty:
            way = await self.treaty.visitors.remote(sender, call, decision)
        elif federated:
            way = await self._residents.federated(call, decision, explicit)
        else:
            way = self._residents.passed(call, decision, explicit)
        if federated and self.treaty:
            call.headers[heads.ASSERTION] = self.treaty.agreements.spoken(decision.cloud)
        call.headers[heads.HOPS] = ",".join((*call.hops, self.here.name))
        return way

    def _via(self, call: Call) -> Cloud | None:
        """The cloud that sent a request on, if it is a peer."""
        return self.peers.clouds.get(call.hops[-1]) if call.hops else None

    def _scope(
        self, header: str | None, auth: Scope | None, subject: Scope | None, place: Place
    ) -> tuple[Scope, Scope]:
        """The scope of a request, and that of who sends it: they differ when a service validates another's token.

        The first form that is found wins: header, token, saved.
        """
        saved = NO_SCOPE
        if place.saved is not None:
            if place.saved not in self.config.scopes:
                known = ", ".join(sorted(self.config.scopes)) or "none"
                raise errors.UnknownScopeError(
                    f"{self.here.name} has no saved scope {place.saved}. Saved are: {known}."
                )
            saved = self.config.scopes[place.saved]
        if header is not None:
            scope = _parsed(header)
            return scope, scope
        sender = auth if auth is not None else saved
        if subject is not None and place.service == "identity":
            return subject, sender
        return sender, sender

    async def _know(self, scope: Scope, service: str, record: Record) -> None:
        """Ask a peer that never answered what it serves, when the request is for it."""
        expression = scope.get(service)
        if isinstance(expression, Name) and expression.cloud in self.peers.clouds:
            record.decision, record.peer = "reject", expression.cloud  # until it answers
            await self.peers.ensure(expression.cloud)


def trusted(config: Config) -> ssl.SSLContext:
    """Whom to believe that it is a peer or a backend."""
    return ssl.create_default_context(cafile=str(config.ca) if config.ca else None)


def _token(value: str | None) -> tuple[str | None, Scope | None]:
    return (value, None) if value is None or heads.MARK not in value else heads.split_token(value)
