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
    ca: peers-ca.crt                              # who may sign for peers and backends; the system's if not given
    haproxy: {gateway: 127.0.0.3}                 # HAProxy takes the frontends; the gateway listens there, behind it
    admin: {listen: "127.0.0.1:8700"}             # health, metrics
    audit: /var/log/openstackoid/audit.jsonl      # standard output if not given
    timeouts: {connect: 5, idle: 60, refresh: 30, grace: 30}    # seconds

Relative paths are relative to the file.
"""

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import PROJECT, Cloud, base_url, cloud_name
from openstackoid.core.errors import ConfigError, ScopeError
from openstackoid.core.scope import Scope
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.fields import Base, Catalog, Listen, Named, Seconds, Section, Tls, address_of
from openstackoid.gateway.settings.peering import Peer, Peering, Trust, fits


def _endpoint(text: str) -> str:
    base_url(text.replace(PROJECT, "0"))
    return text


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
_SQLITE = re.compile(r"sqlite:///(?!/)(.+)\Z")


class Service(Section):
    """One service of this cloud."""

    frontend: Base
    backend: Base | None = None
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    listen: Listen | None = None

    @property
    def address(self) -> str:
        """ADDRESS:PORT where the gateway listens for it."""
        return address_of(self.frontend, self.listen)


class Haproxy(Section):
    """HAProxy in front: it takes the frontends, and the gateway listens behind it.

    Attributes:
        gateway: host where the gateway listens then, at the frontends' ports, without TLS; nobody else may reach it.
        directory: where HAProxy's configuration and maps are written, and its admin socket is.
        threads: of HAProxy; one a core if not given.
        log: where HAProxy logs what goes straight, one line of audit a request: stdout, /dev/log, ADDRESS:PORT, or none.
    """

    gateway: str
    directory: Path = Path("haproxy")
    threads: Annotated[int, Field(ge=1, le=64)] | None = None
    log: Annotated[str, Field(pattern=r"^[A-Za-z0-9/.:_@-]{1,200}$")] = "stdout"


class Admin(Section):
    """Where health and metrics are, for operators alone."""

    listen: Listen


class Timeouts(Section):
    """Seconds: to connect; without a byte; between two looks at a peer; for what runs when the gateway stops."""

    connect: Seconds = 5
    idle: Seconds = 60
    refresh: Seconds = 30
    grace: Seconds = 30


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
    ca: Path | None = None
    admin: Admin | None = None
    audit: Path | None = None
    timeouts: Timeouts = Timeouts()

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


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: naming the file, the key and the value of each thing that is wrong.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected keys such as cloud and services, got {type(document).__name__}")
    try:
        config = Config.model_validate(_resolved(document, path.parent))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_told(detail)}" for detail in error.errors())) from None
    for key, file in _files(config):
        if not file.is_file():
            raise ConfigError(f"{path}: {key}: no such file: {file}")
    return config


def _told(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"]).removeprefix("Value error, ")
    value = detail["input"]
    came = "" if isinstance(value, (dict, list)) or detail["type"] == "missing" else f" (got {value!r})"
    return f"{key}: {message}{came}" if key else message


def _resolved(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The document with its paths made absolute."""

    def absolute(section: dict[str, Any], *keys: str) -> dict[str, Any]:
        return section | {key: str(folder / section[key]) for key in keys if isinstance(section.get(key), str)}

    def deep(section: dict[str, Any], name: str, *keys: str) -> dict[str, Any]:
        return section | {name: absolute(section[name], *keys)} if isinstance(section.get(name), dict) else section

    document = deep(absolute(document, "audit", "ca"), "tls", "certificate", "key")
    document = deep(document, "catalog", "password_file")
    if isinstance(document.get("haproxy"), dict):
        document["haproxy"] = absolute({"directory": "haproxy"} | document["haproxy"], "directory")
    if isinstance(document.get("peering"), dict):
        document["peering"] = deep(document["peering"], "tls", "certificate", "key")
    trust = document.get("trust")
    if isinstance(trust, dict):
        trust = deep(absolute(trust, "keys"), "account", "password_file")
        if isinstance(trust.get("database"), str):
            # sqlite:///file is relative to the configuration, as every path; sqlite:////file is absolute.
            trust["database"] = _SQLITE.sub(lambda found: f"sqlite:///{folder / found[1]}", trust["database"])
        document["trust"] = trust
    return document


def _files(config: Config) -> list[tuple[str, Path]]:
    files: list[tuple[str, Path | None]] = [("ca", config.ca)]
    if config.tls:
        files += [("tls.certificate", config.tls.certificate), ("tls.key", config.tls.key)]
    if config.catalog:
        files.append(("catalog.password_file", config.catalog.password_file))
    if config.peering and config.peering.tls:
        files += [
            ("peering.tls.certificate", config.peering.tls.certificate),
            ("peering.tls.key", config.peering.tls.key),
        ]
    if config.trust:
        files.append(("trust.keys", config.trust.keys))
        if config.trust.account:
            files.append(("trust.account.password_file", config.trust.account.password_file))
    return [(key, file) for key, file in files if file]
