"""The clouds of a `clouds.yaml`, and their peers; one connection for each region, project and user.

Making a connection object sends no request: the first request authenticates, in its own thread, so a cold start waits for
the slowest cloud and not for the sum of all.
"""

import copy
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from cachetools import LRUCache
from keystoneauth1 import session as keystone_session
from openstack import connection, exceptions
from openstack.config import OpenStackConfig, cloud_region

from oaktree.v1.location_pb2 import Location
from openstackoid.core.errors import ConfigError
from openstackoid.core.protocol import SCOPE
from openstackoid.oaktree.locations import selects
from openstackoid.oaktree.upstream.credentials import UnauthenticatedError
from openstackoid.oaktree.upstream.entries import EntryError, files, read, understood
from openstackoid.oaktree.upstream.peers import Peer, Peers, PeersError, prefix
from openstackoid.oaktree.upstream.regions import Region, scope_of, unusable
from openstackoid.oaktree.upstream.tokens import Keystone, Login

# Makes the keystoneauth session of a cloud-region: cloud, region, and keystoneauth's own arguments.
Sessions = Callable[..., keystone_session.Session]

# In a connection's configuration: the format that the cloud wants its images in, or None.
IMAGE_FORMAT: Final = "oaktree_image_format"
# Connections for callers' own credentials, and for projects that requests name. The least recently used are dropped.
_MOST_CONNECTIONS: Final = 1024


class _PeerConnection(connection.Connection):
    """A connection to a peer, without the identity service: home's identity resources must not be taken for the peer's."""

    @property
    def identity(self) -> Any:  # type: ignore[override]  # openstacksdk defines it by a descriptor that makes a proxy
        raise exceptions.ServiceDisabledException(
            f"a peer's users and projects are those of {self.config.name}: ask there"
        )


class Clouds:
    """The clouds of a `clouds.yaml`, accessed as its own users or with other credentials.

    Attributes:
        peers: clouds that the gateways of these clouds lead to.
        flaws: the errors of unusable entries, by their names. Such an entry is still a cloud; requests to it raise the error.
    """

    def __init__(self, config: OpenStackConfig, sessions: Sessions, peers_of: Iterable[str] = ()) -> None:
        """Read the clouds; sends no request to them.

        Args:
            config: the `clouds.yaml`.
            sessions: makes keystoneauth sessions.
            peers_of: clouds whose peers are clouds as well, as soon as `peers` knows them.

        Raises:
            ConfigError: a name in `peers_of` is no cloud of the file, or its peers' names could be those of other clouds.
        """
        self._config: Final = config
        self._sessions: Final = sessions
        self._lock: Final = threading.Lock()
        self._locks: Final[dict[str, threading.Lock]] = {}
        self._connections: Final[dict[tuple[str, ...], connection.Connection]] = {}
        self._others: Final[LRUCache[tuple[str, ...], connection.Connection]] = LRUCache(_MOST_CONNECTIONS)
        self._keystones: Final[dict[str, dict[str, Keystone]]] = {}
        entries = read(config)
        self.flaws: Final = entries.flaws
        self._names: Final = sorted([*entries.regions, *((name, "") for name in entries.flaws)])
        self.peers: Final = self._peers(peers_of)

    @property
    def names(self) -> frozenset[str]:
        """All clouds of the file."""
        return frozenset(name for name, _ in self._names)

    def places(self, wanted: Location) -> Iterator[Location]:
        """The cloud-regions that match one location of a request; sorted."""
        for name, region in sorted([*self._names, *self.peers.places(wanted.cloud)]):
            here = Location(cloud=name, region=region)
            if selects(wanted, here) and wanted.cloud in ("", name):
                yield here

    def regions(self, locations: Iterable[Location] = ()) -> list[Region]:
        """The cloud-regions of a request, with the file's credentials, each with the requested project; sorted."""
        by_place = {}
        for location in list(locations) or [Location()]:
            for here in self.places(location):
                region = self.region(here, scope_of(location))
                by_place[region.identity] = region
        return list(by_place.values())

    def region(self, here: Location, scope: Mapping[str, str], login: Login | None = None) -> Region:
        """One cloud-region, with the credentials of the file or others.

        Args:
            here: cloud and region.
            scope: the project to work in, by keystoneauth's parameter names; empty for the project of the credentials.
            login: credentials that replace the file's.
        """
        peer = self.peers.find(here.cloud)
        if isinstance(peer, PeersError):
            return unusable(here, peer)
        if (flaw := self.flaws.get(here.cloud)) is not None:
            return unusable(here, flaw)
        place = (here.cloud, here.region, *((peer.scope,) if peer else ()))
        if login is None:
            key = ("file", *place, *(f"{name}={value}" for name, value in sorted(scope.items())))
            identity = hashlib.sha256(repr(key).encode()).hexdigest()
        else:
            key = ("login", *place, login.key)
            identity = hashlib.sha256(repr(("login", *place, login.identity)).encode()).hexdigest()
        kept: Any = self._others if scope or login or peer else self._connections

        def connect() -> connection.Connection:
            # One lock per cloud: a cloud whose profile URL does not answer does not delay the others.
            with self._making(here.cloud):
                with self._lock:
                    if key in kept:
                        return kept[key]  # type: ignore[no-any-return]
                with understood(self._config.cloud_config["clouds"].get(peer.home if peer else here.cloud)):
                    made = (_PeerConnection if peer else connection.Connection)(
                        config=self._cloud_region(here, scope, login, peer)
                    )
                with self._lock:
                    kept[key] = made
                return made

        offered = peer.services if peer else None
        return Region(
            here, identity, connect, lambda: self._known(kept, key), offered, bearer=login.key if login else ""
        )

    def _known(self, kept: Any, key: tuple[str, ...]) -> connection.Connection | None:
        with self._lock:
            return kept.get(key)  # type: ignore[no-any-return]

    def _making(self, cloud: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(cloud, threading.Lock())

    def home(self, here: Location) -> tuple[str, str]:
        """The cloud and region whose entry in the file is used: for a peer, those of its home."""
        return self.peers.home(here.cloud) or here.cloud, here.region

    def keystones(self, cloud: str) -> dict[str, Keystone]:
        """The Keystones that check credentials, for each region of a cloud.

        Raises:
            UnauthenticatedError: the file does not name a Keystone.
        """
        if (flaw := self.flaws.get(cloud)) is not None:
            raise UnauthenticatedError(f"no credential for {cloud} can be checked: {flaw}", cloud=cloud)
        if cloud not in self._keystones:
            try:
                with understood(self._config.cloud_config["clouds"].get(cloud)):
                    self._keystones[cloud] = {
                        region: self._keystone(cloud, region) for name, region in self._names if name == cloud
                    }
            except EntryError as error:
                raise UnauthenticatedError(f"no credential for {cloud} can be checked: {error}", cloud=cloud) from error
        return self._keystones[cloud]

    def session(self, at: Keystone) -> keystone_session.Session:
        """A session for requests to a Keystone, without credentials."""
        return self._sessions(at.cloud, at.region, verify=at.verify, cert=at.cert)

    def _keystone(self, cloud: str, region: str) -> Keystone:
        one_region = self._config.get_one(cloud=cloud, region_name=region or None, validate=False)
        url = str((one_region.config.get("auth") or {}).get("auth_url") or "").rstrip("/")
        if not url.startswith(("http://", "https://")):
            message = f"the server's clouds.yaml has no auth_url for {cloud}: no credential for it can be checked"
            raise UnauthenticatedError(message, cloud=cloud)
        for version in ("/v2.0", "/v3"):
            url = url.removesuffix(version)
        verify, cert = one_region.get_requests_verify_args()
        return Keystone(cloud, region, f"{url}/v3", verify, cert)

    def _peers(self, homes: Iterable[str]) -> Peers:
        regions: dict[str, str] = {}
        for home in homes:
            if home in self.flaws:
                raise ConfigError(f"peers.of: {home}: {self.flaws[home]}")
            found = [region for name, region in self._names if name == home]
            if not found:
                known = ", ".join(sorted(self.names)) or "none"
                raise ConfigError(f"peers.of: {home} is no cloud of the clouds.yaml ({known})")
            taken = [name for name, _ in self._names if name.startswith(prefix(home))]
            if taken:
                raise ConfigError(
                    f"peers.of: the clouds.yaml has a cloud {taken[0]}, which looks like a peer of {home}: rename it"
                )
            regions[home] = found[0]
        return Peers(regions)

    def _cloud_region(
        self, here: Location, scope: Mapping[str, str], login: Login | None, peer: Peer | None
    ) -> cloud_region.CloudRegion:
        cloud = peer.home if peer else here.cloud
        options: dict[str, Any] = {"auth": dict(scope)} if scope else {}
        # No validation if the file's credentials are not used: there may be none.
        one_region = self._config.get_one(
            cloud=cloud, region_name=here.region or None, validate=login is None, **options
        )
        files(one_region.config)
        verify, cert = one_region.get_requests_verify_args()
        # The file has no image format for a peer.
        config = {**one_region.config, IMAGE_FORMAT: None if peer else self._image_format(cloud)}
        if peer:
            config.pop("scope", None)  # a client setting for home: its vendor hook would overwrite our scope
        if login is not None:
            # openstacksdk reads the file's credentials in some calls, and would act as the file's user.
            config = {name: value for name, value in config.items() if name != "passcode"}
            config["auth"] = {"auth_url": (one_region.config.get("auth") or {}).get("auth_url")}
        return cloud_region.CloudRegion(
            name=one_region.name,
            region_name=one_region.region_name,
            config=config,
            openstack_config=self._config if login is None else None,
            session=self._sessions(
                here.cloud,
                here.region,
                auth=_auth(login, peer) if login else one_region.get_auth(),
                verify=verify,
                cert=cert,
                timeout=config.get("api_timeout"),
                additional_headers={SCOPE: peer.scope} if peer else {},
            ),
        )

    def _image_format(self, cloud: str) -> str | None:
        """`image_format` of the file or of a vendor profile; openstacksdk's default, qcow2, is ignored: the cloud did not ask for it."""
        entry = dict(self._config.cloud_config["clouds"].get(cloud) or {})
        if "image_format" not in entry:
            entry, named = {}, entry
            self._config._expand_vendor_profile(cloud, entry, named)  # noqa: SLF001 - get_one mixes it with the defaults
        return str(entry["image_format"]).lower() if entry.get("image_format") else None


def _auth(login: Login, peer: Peer | None) -> Any:
    if peer is None:
        return login.auth
    # With another scope, the same URL may offer other API versions: do not share the discovery cache.
    twin: Any = copy.copy(login.auth)
    twin._discovery_cache = {}  # noqa: SLF001 - has no setter
    return twin
