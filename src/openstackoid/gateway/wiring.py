"""Assembles all parts of a gateway from one configuration; a reload keeps the known catalogs and agreements."""

import asyncio
from collections.abc import Mapping

from openstackoid.core import errors
from openstackoid.core.catalog import Cloud
from openstackoid.core.plans import Known
from openstackoid.core.routing import CloudMap
from openstackoid.gateway.api.clouds import Clouds
from openstackoid.gateway.api.control_plane import ControlPlane
from openstackoid.gateway.api.endpoints import Endpoints
from openstackoid.gateway.api.explaining import Explaining
from openstackoid.gateway.api.gone_projects import GoneProjects
from openstackoid.gateway.api.health import Health, health
from openstackoid.gateway.api.operators import Operators
from openstackoid.gateway.api.saved_scopes import SavedScopes
from openstackoid.gateway.api.token_exchange import TokenExchange
from openstackoid.gateway.app import App
from openstackoid.gateway.audited import Audited
from openstackoid.gateway.entry.listeners import listeners
from openstackoid.gateway.entry.scoping import Scoping
from openstackoid.gateway.fanout.serving import Several
from openstackoid.gateway.fastpath.lessons import Lessons
from openstackoid.gateway.fastpath.present import Present
from openstackoid.gateway.fastpath.teacher import Teacher
from openstackoid.gateway.federation.agreements import STALE_AFTER, Agreements, Target
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.gateway.federation.keystone_catalog import KeystoneCatalog
from openstackoid.gateway.federation.local_catalog import LocalCatalog
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.operating import table as operating
from openstackoid.gateway.parts import Parts
from openstackoid.gateway.quotas.admission import Admission
from openstackoid.gateway.quotas.requests import Quotas
from openstackoid.gateway.quotas.services import ServiceQuotas
from openstackoid.gateway.replicas.asking import Asker
from openstackoid.gateway.replicas.copies import Copies
from openstackoid.gateway.replicas.listing import Listing
from openstackoid.gateway.replicas.reconciling import Reconciler
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.replicas.starting import patience, runner
from openstackoid.gateway.replicas.writes import Writes
from openstackoid.gateway.senders.foreign_tokens import ForeignTokens
from openstackoid.gateway.senders.legs import Legs
from openstackoid.gateway.senders.region_images import RegionImages
from openstackoid.gateway.senders.region_networks import RegionNetworks
from openstackoid.gateway.senders.returning_user import ReturningUsers
from openstackoid.gateway.senders.revocation import Revocation
from openstackoid.gateway.senders.selection import of_one_owner, of_several_owners
from openstackoid.gateway.senders.token_validation import TokenValidation
from openstackoid.gateway.settings.certificates import certificate_ends
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.telemetry import loops
from openstackoid.gateway.telemetry.gauges import State
from openstackoid.gateway.telemetry.region_health import RegionWatch
from openstackoid.gateway.telemetry.writer import LineWriter
from openstackoid.gateway.upstream import backends
from openstackoid.gateway.upstream.backends import Backends
from openstackoid.gateway.upstream.linking import Linking
from openstackoid.gateway.upstream.pool import Pool, Upstream
from openstackoid.gateway.upstream.rates import Rates
from openstackoid.trust.contracts import ContractGrant


class Gateway:
    """The parts made from one configuration; a reload makes new ones.

    Attributes:
        config: the configuration.
        requests: serves requests.
        listeners: ADDRESS:PORT -> the listener there.
        peers: the other clouds.
        clouds: answers about clouds.
        operators: answers at the operators' address.
    """

    def __init__(self, config: Config, backends_found: Backends, pool: Pool, previous: "Gateway | None") -> None:
        self.config = config
        self._certificate_ends = certificate_ends(config)
        self._here = config.here
        self._pool = pool
        self._audit = LineWriter(config.cloud, config.audit)
        trust, api = config.trust, _keystone_api(config, backends_found, pool)
        keystone = Keystone(api, trust.recheck, trust.service_roles) if trust else Keystone(api)
        self._keystone = keystone
        self._catalog: LocalCatalog = LocalCatalog(
            config,
            dict(backends_found.endpoints),
            KeystoneCatalog(api, keystone) if "identity" in backends_found.bases else None,
            previous._catalog if previous else None,  # noqa: SLF001 - the same class
        )
        self.listeners = listeners(config)
        self._federation: Federation | None = None
        if trust:
            if "identity" not in backends_found.bases:
                raise errors.ConfigError(
                    "services.identity: expected this cloud's Keystone, whom a trust section needs"
                )
            before = previous._federation.agreements if previous and previous._federation else None  # noqa: SLF001
            agreements = Agreements(config, self._set_targets, before)
            self._federation = Federation.of(config, agreements, api, keystone, pool.peers)
        self._agreements = self._federation.agreements if self._federation else None
        known = previous.peers.clouds if previous else {}
        self.peers: Peers = Peers(
            config.timeouts, pool.peers, self._targets(), self._agreements, known, self._peer_returned
        )
        self.clouds = Clouds(self.known, self.peers, self._agreements)
        self.operators = Operators(self.clouds, self._state, self._health)
        self._teacher: Teacher | None = None
        if config.haproxy:
            present = Present(self._names, self._generation, self._age)
            self._teacher = Teacher(config.haproxy.directory, self._reachable, present)
        behind_haproxy = config.haproxy is not None
        own_keys = self._agreements.own_keys if self._agreements else None
        waits = self.peers.await_return
        self._runner = runner(config, own_keys, self._restore, waits) if config.operations else None
        self._reconciler: Reconciler | None = None
        if self._runner and config.operations:
            every = config.operations.reconcile
            self._reconciler = Reconciler(self._runner, self._restore, config.cloud, every)
        self._rates: Rates = Rates(config.cloud, config.rates, previous._rates if previous else None)  # noqa: SLF001 - the same class
        self._region_watch = RegionWatch(self._agreements.store.region_health.add if self._agreements else None)
        self._app = app = App(self._parts(backends_found))
        browsers = {address: listener.cors for address, listener in self.listeners.items() if listener.cors}
        self.requests = Audited(app, config.cloud, self._audit, browsers, behind_haproxy=behind_haproxy)

    @classmethod
    async def make(cls, config: Config, previous: "Gateway | None" = None) -> "Gateway":
        """A gateway that is ready to serve.

        Raises:
            ConfigError: the backends cannot be found, or a certificate or a key cannot be read.
            OpenStackoidError: the database with the agreements cannot be used.
        """
        pool = Pool(config)
        try:
            own_backends = await backends.find(config, pool.shared)
            gateway = cls(config, own_backends, pool, previous)
            if gateway._agreements:
                await gateway._agreements.start()
            if gateway._runner:
                await asyncio.to_thread(gateway._runner.store.upgrade)
                gateway._runner.start()
            if gateway._reconciler:
                gateway._reconciler.start()
        except BaseException:
            await pool.close()
            raise
        gateway.peers.start()
        if gateway._federation:
            gateway._federation.absent_projects.start()
        gateway._region_watch.start()
        if previous is None:
            gateway.start_teaching()
        return gateway

    def start_teaching(self) -> None:
        """Start to teach HAProxy, and delete the entries of an earlier gateway, which must have stopped."""
        if self._teacher:
            self._teacher.start()

    async def stop_teaching(self) -> None:
        """Stop teaching: another gateway has taken over."""
        if self._teacher:
            await self._teacher.stop()

    async def close(self) -> None:
        """Close all parts."""
        await self.peers.stop()
        await self.stop_teaching()
        if self._federation:
            await self._federation.absent_projects.stop()
        await self._region_watch.stop()
        if self._agreements:
            await self._agreements.stop()
        if self._reconciler:
            await self._reconciler.stop()
        if self._runner:
            await self._runner.stop()
        await self._pool.close()
        await asyncio.to_thread(self._audit.close)

    def cloud_map(self) -> CloudMap:
        """This cloud and its peers, with the catalogs that are known now."""
        return CloudMap(self._here, self.peers.clouds)

    def known(self) -> Known:
        """The clouds that a scope with operators may mean, with the facts that are known now."""
        return Known(
            self.config.cloud,
            {self._here.name: self._here, **self.peers.clouds},
            {name: frozenset(peer.labels) for name, peer in self.config.peers.items() if peer.labels is not None},
            self.peers.round_trips,
            self.config.fanout.clouds,
        )

    def _parts(self, own_backends: Backends) -> Parts:
        config, federation, catalog = self.config, self._federation, self._catalog
        legs = Legs(
            config.cloud, _upstreams(config.cloud, own_backends), self.peers, Linking(self._here), self._agreements
        )
        scoping = Scoping(config.cloud, config.scopes, self._regions)
        explaining = Explaining(self.cloud_map, self.known, scoping, self.peers, self._agreements)
        table = [*self.clouds.endpoints(), *explaining.endpoints()]
        table += SavedScopes(config.scopes).endpoints()
        if config.operators:
            table += operating.endpoints(config, config.operators, self._keystone, self._agreements)
        if self._runner:
            table += Listing(self._runner, self._restore, self.known).endpoints()
            table += Copies(self._runner, self._restore, self.known).endpoints()
        if config.peering and config.peering.regions:
            table += ControlPlane(self._pool.shared, config.peering.regions).endpoints()
        validation, kinds = None, of_one_owner(catalog, legs)
        if federation:
            known = ForeignTokens(config.cloud, federation.agreements, federation.keystone, federation.trust)
            returning = ReturningUsers(federation, legs, at_peers_only=config.peering is not None)
            images = RegionImages(own_backends.bases.get("image"), self._pool.shared)
            networks = RegionNetworks(own_backends.bases.get("network"), self._pool.shared)
            account = federation.trust.quota_account or federation.trust.account
            api = KeystoneApi(own_backends.bases.get("identity", ""), self._pool.shared, account)
            services = ServiceQuotas(own_backends.bases, self._pool.shared, api)
            quotas = Quotas(Admission(federation.agreements.store.quotas, services), services)
            kinds = of_several_owners(
                catalog, federation, known, returning, legs, images, networks, self._rates, quotas
            )
            validation = TokenValidation(config.cloud, known, federation, catalog)
            table += TokenExchange(returning, federation.issuer).endpoints()
            table += GoneProjects(federation.agreements.assertions, federation.home_projects).endpoints()
        teacher, several = self._teacher, Several(config.fanout, self.known)
        return Parts(
            here=self._here,
            listeners=self.listeners,
            endpoints=Endpoints(table),
            scoping=scoping,
            kinds=kinds,
            validation=validation,
            revocation=Revocation(federation.issuer if federation else None, teacher),
            several=several,
            writes=Writes(self._runner, config.fanout, config.cloud, patience(config), several.admission),
            lessons=Lessons(teacher, self.cloud_map, self.peers, federation) if teacher else None,
            peers=self.peers,
            rates=self._rates,
            pool=self._pool,
            regions=self._region_watch,
        )

    def _regions(self) -> Mapping[str, ContractGrant]:
        """The contracts of this cloud's regions that are parts of other clouds."""
        return self._agreements.regions if self._agreements else {}

    def _restore(self, request: Request) -> Asker:
        """What asks clouds for an operation that another gateway began."""
        return self._app.restore(request)

    def _targets(self) -> dict[str, Target]:
        """URL and kind of token of every peer, from the configuration and the database."""
        plain = {
            name: Target(peer.url, federated=False, services=peer.services)
            for name, peer in self.config.peers.items()
            if peer.token == "pass-through"  # noqa: S105 - a mode
        }
        agreed = self._agreements.targets if self._agreements else {}
        given = {name: peer.services for name, peer in self.config.peers.items()}
        return {
            name: Target(target.url, federated=True, services=given.get(name)) for name, target in agreed.items()
        } | plain

    def _set_targets(self) -> None:
        self.peers.set_targets(self._targets())

    def _peer_returned(self, name: str) -> None:
        """A peer answers again: what waits for it is tried now."""
        if self._runner:
            self._runner.wake(name)

    def _reachable(self) -> tuple[dict[str, Cloud], dict[str, str]]:
        """Peers that HAProxy may reach directly, and the names in their certificates."""
        names = {name: peer.tls_name for name, peer in self.config.peers.items() if peer.tls_name}
        return {name: cloud for name, cloud in self.peers.clouds.items() if cloud}, names

    def _names(self) -> list[str]:
        """Names of this cloud and its peers."""
        return [self._here.name, *self.peers.clouds]

    def _generation(self, cloud: str) -> object:
        """A value that changes when decisions that depend on a cloud may change."""
        agreements = self._agreements
        agreed = (agreements.generations.of(cloud), agreements.statements.get(cloud)) if agreements else None
        return agreed, self.peers.clouds.get(cloud)

    def _state(self) -> State:
        """This gateway's state, for metrics and health."""
        agreements, peers = self._agreements, self.peers
        return State(
            self.config.cloud,
            {name: name not in peers.errors for name in peers.clouds},
            self._certificate_ends,
            agreements.keys.listed() if agreements else (),
            agreements.age if agreements else None,
        )

    def _health(self) -> Health:
        return health(self._state(), stale_after=STALE_AFTER, audit=self._audit.trouble, loops=loops.ages())

    def _age(self) -> float:
        """Seconds since the agreements were last checked for changes."""
        return self._agreements.age if self._agreements else 0.0


def _keystone_api(config: Config, own_backends: Backends, pool: Pool) -> KeystoneApi:
    return KeystoneApi(
        own_backends.bases.get("identity", ""), pool.shared, config.trust.account if config.trust else None
    )


def _upstreams(cloud: str, own_backends: Backends) -> dict[str, Upstream]:
    return {
        kind: Upstream(f"{cloud}'s {kind} service", base, errors.BackendUnreachableError, errors.BackendTimeoutError)
        for kind, base in own_backends.bases.items()
    }
