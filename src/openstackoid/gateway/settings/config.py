"""The gateway's configuration: one YAML file, checked as a whole before anything of it is used.

    cloud: CloudOne                               # this cloud's name among those who collaborate
    region: RegionOne
    services:
      image:                                      # a port a service, as kolla-ansible has it
        frontend: http://10.0.0.2:9292            # what users and services call
        backend: http://10.0.0.1:9292             # where the service listens
      compute:                                    # a path a service, as DevStack has it
        frontend: https://cloud.example/compute
        backend: http://10.0.0.1:8774
        endpoint: https://cloud.example/compute/v2.1   # as in the catalog; the frontend if not given
        listen: 10.0.0.2:443                      # the frontend's host and port if not given
      placement: {frontend: http://10.0.0.2:8778} # no backend: from the catalog
    catalog:                                      # where services without a backend are looked up
      auth_url: http://10.0.0.1:5000/v3
      username: gateway
      password_file: /etc/openstackoid/password
      project_name: service
      interface: internal
    peering:                                      # where other clouds' gateways call, all services below one URL
      url: https://cloudone.example:8443
      tls: {certificate: peering.crt, key: peering.key}
    trust:                                        # for federated peers
      keys: keys.json                             # or keys_env: NAME, or keys_command: [program, argument]
      database: sqlite:///trust.sqlite            # or database_env: NAME; agreements made by commands, mapped projects
      account: {auth_url: ..., username: ...}     # as catalog below; makes projects on demand (projects: each:DOMAIN_ID)
      lifetime: 300                               # seconds that a federated token lives
    peers:                                        # beside those of the database
      CloudTwo:
        url: https://cloudtwo.example:8443
        fingerprint: 43 characters of base64url   # of a signing key of CloudTwo
        allow: {services: [image], projects: each:default, rate: 100}      # see openstackoid.trust.agreements
      CloudThree: {url: "http://10.0.2.2:5000", token: pass-through}       # a cloud of the same owner
    scopes:
      images-elsewhere: {image: CloudTwo}         # /scope/images-elsewhere/...
    tls: {certificate: gateway.crt, key: gateway.key}
    ca: peers-ca.crt                              # authorities for certificates of peers and backends; the system's if not given
    haproxy: {gateway: 127.0.0.3}                 # HAProxy takes the frontends; the gateway listens there, behind it
    admin: {listen: "127.0.0.1:8700"}             # health, metrics
    audit: /var/log/openstackoid/audit.jsonl      # standard output if not given
    operators: {audit: [/var/log/haproxy.log]}    # the operators' API: audit and agreements, by oslo.policy
    timeouts: {connect: 5, idle: 60, refresh: 30, grace: 30}    # seconds
    fanout: {timeout: 10, clouds: 1024, at_once: 128}           # requests to several clouds
    rates: {peers: {"*": 200, CloudTwo: 20}, redis: "redis://10.0.0.9"}     # requests a second to each peer, over all workers
    operations: {database: sqlite:///operations.sqlite, keys: keys.json}    # changes in several clouds, on record
    cors: {allowed_origins: ["https://app.example"]}            # pages that may call from a browser

Relative paths are relative to the file.
"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Cloud, base_url, cloud_name
from openstackoid.core.errors import ScopeError
from openstackoid.core.scope import Scope
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.fields import Catalog, ExistingFile, Named, RelativePath, Section, Tls
from openstackoid.gateway.settings.peering import Peer, Peering, Trust, fits
from openstackoid.gateway.settings.sections import (
    Admin,
    CorsSection,
    Fanout,
    Haproxy,
    Operations,
    OperatorsApi,
    Rates,
    Service,
    Timeouts,
)


def _scope(value: Any) -> Scope:
    if isinstance(value, Scope):
        return value
    if not isinstance(value, dict) or not all(isinstance(part, str) for pair in value.items() for part in pair):
        raise ValueError("expected service types with a cloud each")
    try:
        return scopes.parse_short(",".join(f"{kind}={expression}" for kind, expression in value.items()))
    except ScopeError as error:
        raise ValueError(str(error)) from None


Saved = Annotated[Scope, BeforeValidator(_scope)]


class Config(Section):
    """All of it."""

    cloud: Named
    region: Annotated[str, Field(min_length=1, max_length=255)] = "RegionOne"
    labels: list[Named] = Field(default_factory=list)
    services: Annotated[dict[str, Service], Field(min_length=1)]
    catalog: Catalog | None = None
    peering: Peering | None = None
    trust: Trust | None = None
    haproxy: Haproxy | None = None
    peers: dict[Named, Peer] = Field(default_factory=dict)
    scopes: dict[Named, Saved] = Field(default_factory=dict)
    tls: Tls | None = None
    ca: ExistingFile | None = None
    admin: Admin | None = None
    audit: RelativePath | None = None
    operators: OperatorsApi | None = None
    timeouts: Timeouts = Timeouts()
    fanout: Fanout = Fanout()
    rates: Rates = Rates()
    operations: Operations | None = None
    cors: CorsSection | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Config":
        official: dict[str, str] = {}
        taken: dict[tuple[str, str], str] = {}
        for kind, service in self.services.items():
            kind_ = service_type(kind)
            if kind_ is None:
                raise ValueError(f"services.{kind}: expected a service type such as image")
            if kind_ in official:
                raise ValueError(f"services.{kind}: the same service as {official[kind_]} (aliases count)")
            official[kind_] = kind
            place = (service.address, urlsplit(service.frontend).path)
            if place in taken:
                raise ValueError(
                    f"services.{kind}.frontend: {service.frontend} is the frontend of {taken[place]} already"
                )
            taken[place] = kind
            if service.backend is None and self.catalog is None:
                raise ValueError(f"services.{kind}.backend: expected a URL, or a catalog section to look it up with")
            if service.backend == service.frontend:
                raise ValueError(f"services.{kind}.backend: {service.backend} is the frontend itself: a loop")
            if service.frontend.startswith("https://") and self.tls is None and service.listen is None:
                raise ValueError(f"services.{kind}.frontend: https needs a tls section, or a listen address behind TLS")
        for name in (self.cloud, *self.peers):
            cloud_name(name)
        if self.cloud in self.peers:
            raise ValueError(f"peers.{self.cloud}: a cloud is no peer of itself")
        for name, peer in self.peers.items():
            if not all(service_type(kind) for kind in peer.services or {}):
                raise ValueError(f"peers.{name}.services: expected service types such as image")
            fits(name, peer, self.trust)
        if self.operations and self.operations.keys is None and self.trust is None:
            raise ValueError(
                "operations.keys: expected a file of this cloud's keys (openstackoid key create), or a trust section"
            )
        if self.operators and "identity" not in official:
            raise ValueError("services.identity: expected this cloud's Keystone, whom a section operators needs")
        if self.haproxy:
            outer = {address for address, _ in taken} | ({self.peering.address} if self.peering else set())
            inner = {self.inner(address) for address in outer}
            if len(inner) < len(outer) or inner & outer:
                raise ValueError(
                    "haproxy.gateway: behind HAProxy the gateway listens on one host, so each frontend's address needs a port "
                    "of its own, and the host must be another one"
                )
        if self.peering:
            if self.peering.address in {address for address, _ in taken}:
                raise ValueError(f"peering.url: {self.peering.address} is where a frontend listens already")
            if self.peering.url.startswith("https://") and not (self.peering.tls or self.peering.listen):
                raise ValueError("peering.url: https needs peering.tls, or a listen address behind TLS")
        return self

    def inner(self, address: str) -> str:
        """Where the gateway itself listens for what arrives at ADDRESS:PORT."""
        return f"{self.haproxy.gateway}:{address.rpartition(':')[2]}" if self.haproxy else address

    def inside(self, service: Service) -> str | None:
        """Base URL by which this cloud's services call a service, without TLS, if a proxy in front ends TLS for users; None if all call the frontend."""
        if self.tls or service.listen is None or not service.frontend.startswith("https://"):
            return None
        endpoint = urlsplit(service.endpoint or "")
        place = endpoint.netloc if endpoint.scheme == "http" else service.listen
        return base_url(f"http://{place}{urlsplit(service.frontend).path}")

    def inside_hosts(self, service: Service) -> frozenset[str]:
        """HOST:PORT, or HOST for port 80, of the requests to `inside`."""
        url = self.inside(service)
        if url is None or service.listen is None:
            return frozenset()
        hosts = {urlsplit(url).netloc, service.listen.lower().removesuffix(":80")}
        return frozenset(hosts - {urlsplit(service.frontend).netloc})

    @property
    def here(self) -> Cloud:
        """This cloud as its peers see it."""
        urls = {service_type(kind) or kind: service.frontend for kind, service in self.services.items()}
        return Cloud(self.cloud, urls, frozenset(self.labels))

    @property
    def endpoints(self) -> dict[str, str]:
        """Service type -> URL, as in this cloud's catalog."""
        return {
            service_type(kind) or kind: service.endpoint or service.frontend for kind, service in self.services.items()
        }
