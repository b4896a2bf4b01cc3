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
    peers:
      CloudTwo: {url: "http://10.0.1.2:5000", token: pass-through}
    scopes:
      images-elsewhere: {image: CloudTwo}         # /scope/images-elsewhere/...
    tls: {certificate: gateway.crt, key: gateway.key}
    ca: peers-ca.crt                              # who may sign for peers and backends; the system's if not given
    admin: {listen: "127.0.0.1:8700"}             # health, metrics
    audit: /var/log/openstackoid/audit.jsonl      # standard output if not given
    timeouts: {connect: 5, idle: 60, refresh: 30, grace: 30}    # seconds

Relative paths are relative to the file.
"""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import PROJECT, Cloud, base_url
from openstackoid.core.errors import ConfigError, ScopeError
from openstackoid.core.scope import Scope, is_name
from openstackoid.core.services import service_type


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("expected letters, digits, dots, - and _, 64 at most, a letter or digit first")
    return text


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 - the number of ports
        raise ValueError("expected ADDRESS:PORT")
    return text


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


Named = Annotated[str, AfterValidator(_name)]
Base = Annotated[str, AfterValidator(base_url)]
Listen = Annotated[str, AfterValidator(_listen)]
Saved = Annotated[Scope, BeforeValidator(_scope)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Service(_Model):
    """One service of this cloud."""

    frontend: Base
    backend: Base | None = None
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    listen: Listen | None = None

    @property
    def address(self) -> str:
        """ADDRESS:PORT where the gateway listens for it."""
        if self.listen:
            return self.listen
        parts = urlsplit(self.frontend)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"


class Peer(_Model):
    """Another cloud. `services` (type -> URL) spares asking it what it serves."""

    url: Base
    token: Literal["pass-through"] = "pass-through"  # noqa: S105 - a mode, no secret
    services: dict[str, Base] | None = None


class Catalog(_Model):
    """Whom to ask for the backends of services that are given none."""

    auth_url: Base
    username: str
    password_file: Path
    user_domain_name: str = "Default"
    project_name: str
    project_domain_name: str = "Default"
    region: str | None = None
    interface: Literal["public", "internal", "admin"] = "internal"


class Tls(_Model):
    """PEM files."""

    certificate: Path
    key: Path


class Admin(_Model):
    """Where health and metrics are, for operators alone."""

    listen: Listen


class Timeouts(_Model):
    """Seconds: to connect; without a byte; between two looks at a peer; for what runs when the gateway stops."""

    connect: Seconds = 5
    idle: Seconds = 60
    refresh: Seconds = 30
    grace: Seconds = 30


class Config(_Model):
    """All of it."""

    cloud: Named
    region: Annotated[str, Field(min_length=1, max_length=255)] = "RegionOne"
    labels: list[Named] = []
    services: Annotated[dict[str, Service], Field(min_length=1)]
    catalog: Catalog | None = None
    peers: dict[Named, Peer] = {}
    scopes: dict[Named, Saved] = {}
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
        if self.cloud in self.peers:
            raise ValueError(f"peers.{self.cloud}: a cloud is no peer of itself")
        for name, peer in self.peers.items():
            if not all(service_type(kind) for kind in peer.services or {}):
                raise ValueError(f"peers.{name}.services: expected service types such as image")
        return self

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

    document = absolute(document, "audit", "ca")
    for name, keys in (("tls", ("certificate", "key")), ("catalog", ("password_file",))):
        if isinstance(document.get(name), dict):
            document[name] = absolute(document[name], *keys)
    return document


def _files(config: Config) -> list[tuple[str, Path]]:
    files = [("ca", config.ca)]
    if config.tls:
        files += [("tls.certificate", config.tls.certificate), ("tls.key", config.tls.key)]
    if config.catalog:
        files.append(("catalog.password_file", config.catalog.password_file))
    return [(key, file) for key, file in files if file]
