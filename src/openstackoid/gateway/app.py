"""The gateway itself: one request in, one decision, one answer out.

place (which service) -> scope (which clouds) -> decide -> Local:  the backend, the scope put on the token
                                                        -> Remote: the peer's frontend, the service token left at home
                                                        -> Reject: an error in OpenStack's JSON form
"""

import asyncio
import os
import ssl
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core import errors
from openstackoid.core import scope as scopes
from openstackoid.core.links import Links
from openstackoid.core.routing import Facts, Federation, Local, Reject, Remote, decide
from openstackoid.core.scope import Name, Scope
from openstackoid.gateway import backends, metrics, own
from openstackoid.gateway import headers as heads
from openstackoid.gateway.audit import CLIENT_GONE, Audit, Record
from openstackoid.gateway.backends import Backends
from openstackoid.gateway.config import Config
from openstackoid.gateway.forward import CutError, Edit, Pool, Upstream, forward
from openstackoid.gateway.frontends import Frontends, Place, is_version_document
from openstackoid.gateway.identity import LocalCatalog, holds_catalog
from openstackoid.gateway.peers import Peers

_NO_LINKS: Final = Links({})
_NO_SCOPE: Final = Scope()


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
        idle: set while no request is under way.
    """

    def __init__(self, config: Config, found: Backends, pool: Pool, previous: "Gateway | None") -> None:
        self.config = config
        self._running = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.here = config.here
        self.peers: Peers = Peers(config, pool.shared, previous.peers.clouds if previous else {})
        self.audit = Audit(config.audit)
        self.catalog: LocalCatalog = LocalCatalog(
            config, dict(found.endpoints), previous.catalog.learned if previous else None
        )
        self._pool = pool
        services = {kind: (address, self.here.services[kind]) for kind, address in _addresses(config).items()}
        self.frontends = Frontends(services)
        self._backends = {
            kind: Upstream(
                f"{config.cloud}'s {kind} service", base, errors.BackendUnreachableError, errors.BackendTimeoutError
            )
            for kind, base in found.bases.items()
        }
        self._local_links: dict[tuple[str, str | None], Links] = {}
        self._remote_links: dict[tuple[str, str | None], tuple[object, Links]] = {}

    @classmethod
    async def make(cls, config: Config, previous: "Gateway | None" = None) -> "Gateway":
        """A gateway that is ready to serve.

        Raises:
            ConfigError: the backends cannot be found, or a certificate cannot be read.
        """
        pool = Pool(config.timeouts, trusted(config))
        try:
            found = await backends.find(config, pool.shared)
            gateway = cls(config, found, pool, previous)
        except BaseException:
            await pool.close()
            raise
        gateway.peers.start()
        return gateway

    async def close(self) -> None:
        """Let go of everything."""
        await self.peers.stop()
        await self._pool.close()
        self.audit.close()

    @property
    def federation(self) -> Federation:
        """This cloud and its peers, as far as they are known now."""
        return Federation(self.here, self.peers.clouds)

    async def handle(self, address: str, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request that arrived at ADDRESS:PORT; every outcome is an answer and a line of audit."""
        started = asyncio.get_running_loop().time()
        self._running += 1
        self.idle.clear()
        record = Record(
            cloud=self.here.name,
            client=request.remote,
            method=request.method,
            path=request.raw_path.partition("?")[0],
            global_request_id=_request_id(request.headers.get(heads.REQUEST_ID)),
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
        target = request.raw_path
        if own.is_own(target):
            return own.answer(self, request)
        place = self.frontends.place(address, target)
        record.service, record.saved_scope = place.service, place.saved
        headers = heads.incoming(request.headers)
        hops = heads.hops(request.headers)
        auth, auth_scope = _token(headers.pop(heads.AUTH, None))
        subject, subject_scope = _token(headers.pop(heads.SUBJECT, None))
        scope, sender = self._scope(headers.pop(heads.SCOPE, None), auth_scope, subject_scope, place)
        record.scope = scope or None
        told = (request, record, place, hops, auth, subject)
        if scope and not hops and request.method == "GET" and is_version_document(place.path):
            # keystoneauth1 hides what went wrong with a version document (discover.py, `get_version_data`) and tells
            # its user of missing versions instead. So our own service answers, and the request behind it gets the error.
            try:
                return await self._route(*told, headers.copy(), scope, sender)
            except (errors.RoutingError, errors.PeerError):
                return await self._route(*told, headers, _NO_SCOPE, _NO_SCOPE)
        return await self._route(*told, headers, scope, sender)

    async def _route(
        self,
        request: web.BaseRequest,
        record: Record,
        place: Place,
        hops: tuple[str, ...],
        auth: str | None,
        subject: str | None,
        headers: CIMultiDict[str],
        scope: Scope,
        sender: Scope,
    ) -> web.StreamResponse:
        if scope:
            await self._know(scope, place.service, record)
        facts = Facts(place.service, request.method, place.path.partition("?")[0], hops)
        decision = decide(facts, scope, self.federation)
        record.decision, record.peer = type(decision).__name__.lower(), decision.cloud
        if isinstance(decision, Reject):
            raise decision.error
        headers[heads.REQUEST_ID] = record.global_request_id
        if hops:
            headers.pop(heads.SERVICE, None)
        if isinstance(decision, Local):
            self._to_backend(headers, place, scope, auth, subject)
            edit = self._local_edit(request, place)
            upstream, links = self._backends[place.service], self._links_here(place)
        else:
            edit = self._to_peer(headers, request, place, decision, scope, sender, auth, subject)
            heads_hops = (*hops, self.here.name)
            headers[heads.HOPS] = ",".join(heads_hops)
            upstream = Upstream(decision.cloud, decision.url, errors.PeerUnreachableError, errors.PeerTimeoutError)
            links = self._links_of(decision.cloud, place)
        return await forward(request, self._pool, upstream, place.path, headers, links, edit)

    def _scope(
        self, header: str | None, auth: Scope | None, subject: Scope | None, place: Place
    ) -> tuple[Scope, Scope]:
        """The scope of a request, and that of who sends it: they differ when a service validates another's token.

        The first form that is found wins: header, token, saved.
        """
        saved = _NO_SCOPE
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

    def _to_backend(
        self, headers: CIMultiDict[str], place: Place, scope: Scope, auth: str | None, subject: str | None
    ) -> None:
        """Put the scope on the token, so that it follows the workflow; Keystone reads plain tokens."""
        if self.config.tls is not None or self.here.services[place.service].startswith("https://"):
            headers["X-Forwarded-Proto"] = urlsplit(self.here.services[place.service]).scheme
        if subject is not None:
            headers[heads.SUBJECT] = subject
        if auth is not None:
            scoped = bool(scope) and place.service != "identity"
            headers[heads.AUTH] = heads.with_scope(auth, _explicit(scope, self.here.name)) if scoped else auth

    def _to_peer(
        self,
        headers: CIMultiDict[str],
        request: web.BaseRequest,
        place: Place,
        decision: Remote,
        scope: Scope,
        sender: Scope,
        auth: str | None,
        subject: str | None,
    ) -> Edit | None:
        """What may leave this cloud; says how to edit what comes back."""
        headers.pop(heads.SERVICE, None)
        headers["Host"] = urlsplit(decision.url).netloc
        headers[heads.SCOPE] = scopes.format(_explicit(scope, self.here.name))
        edit = self.catalog.replace if place.service == "identity" and holds_catalog(place.path) else None
        if place.service == "identity" and subject is not None:
            headers[heads.SUBJECT] = subject
            if request.method in {"GET", "HEAD"}:
                # The token validates itself: who asks is nobody in the other cloud.
                headers[heads.AUTH] = subject
                return self.catalog.validated if edit else None
            home = sender.get("identity")
            if home != Name(decision.cloud):
                return edit  # what revokes it must be of that cloud as well: a token of another one stays here
        if auth is not None:
            headers[heads.AUTH] = auth
        return edit

    def _local_edit(self, request: web.BaseRequest, place: Place) -> Edit | None:
        if place.service == "identity" and request.method in {"GET", "POST"} and holds_catalog(place.path):
            return self.catalog.learn
        return None

    def _links_here(self, place: Place) -> Links:
        """What becomes of links in answers of our own backends: see `core.links`."""
        key = (place.service, place.saved)
        if key not in self._local_links:
            frontend = self.here.services[place.service]
            seen = urlsplit(frontend).netloc
            # Services build links from Host, and know neither TLS in front of them nor a path.
            table = {f"{scheme}://{seen}": frontend for scheme in ("http", "https")}
            table |= {url: url for url in self.here.services.values()}
            if place.saved:
                scoped = self.frontends.scoped(place.saved)
                table = {old: scoped.get(new, new) for old, new in table.items()}
            self._local_links[key] = Links(table)
        return self._local_links[key]

    def _links_of(self, cloud: str, place: Place) -> Links:
        peer = self.peers.clouds[cloud]
        if peer is None:  # it was known a moment ago: `decide` said so
            return _NO_LINKS
        key = (cloud, place.saved)
        known = self._remote_links.get(key)
        if known is None or known[0] is not peer:
            scoped = self.frontends.scoped(place.saved) if place.saved else {}
            ours = {kind: scoped.get(url, url) for kind, url in self.here.services.items()}
            table = {url: ours[kind] for kind, url in peer.services.items() if kind in ours}
            table |= {url: scoped.get(url, url) for url in self.here.services.values()}
            known = self._remote_links[key] = (peer, Links(table))
        return known[1]


def refusal(error: errors.OpenStackoidError) -> web.Response:
    """An error as an answer in OpenStack's JSON form."""
    return web.Response(
        status=error.status,
        body=orjson.dumps(error.body()),
        content_type="application/json",
        headers={heads.REQUEST_ID: _new_id()},
    )


def trusted(config: Config) -> ssl.SSLContext:
    """Whom to believe that it is a peer or a backend."""
    return ssl.create_default_context(cafile=str(config.ca) if config.ca else None)


def _addresses(config: Config) -> Mapping[str, str]:
    kinds = config.endpoints  # in the order of config.services, with official names
    return dict(zip(kinds, (service.address for service in config.services.values()), strict=True))


def _token(value: str | None) -> tuple[str | None, Scope | None]:
    return (value, None) if value is None or heads.MARK not in value else heads.split_token(value)


def _request_id(given: str | None) -> str:
    """The global request id: the client's if it has the form that oslo.middleware believes, else a new one."""
    if given is not None and len(given) == 40 and given.startswith("req-"):  # noqa: PLR2004 - req- and a UUID
        try:
            uuid.UUID(given[4:])
        except ValueError:
            pass
        else:
            return given
    return _new_id()


def _new_id() -> str:
    """A request id: `req-` and a random UUID, without the cost of an object."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"req-{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
