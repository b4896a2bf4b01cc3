"""The configuration of a server: a validated YAML file; without one, sensible defaults for one user on one machine.

    listen: ["unix:/run/oaktree/oaktree.sock", "0.0.0.0:50051"]     # TCP: plaintext on loopback only, if there is no `tls`
    clouds: clouds.yaml                         # by default the file that openstacksdk finds
    peers: {of: [CloudOne], refresh: 60}        # the clouds behind CloudOne's gateway are served as well, as CloudOne:CloudTwo and so on
    tls: {certificate: oaktree.crt, key: oaktree.key, client_ca: callers-ca.crt}    # client_ca: every TCP caller needs a certificate
    callers:
      local: false                              # whether callers without TLS act as the clouds.yaml's user; by default only if there are no others
      tokens: {policy: users}                   # Keystone's tokens and application credentials; without a policy, everything that their cloud allows
      certificates:                             # as the clouds.yaml's user, under a policy
        - {name: ops, san: ops.example, policy: readers}
    policies:
      readers: {locations: [{cloud: "Cloud*", region: RegionOne}], verbs: [list, get, watch], kinds: ["compute.*"]}
      users: {verbs: [list, get, create, update, delete, watch, upload, rest]}
    oaktrees:                                   # other oaktrees, whose clouds are named SiteB/...
      - {name: SiteB, target: "site-b.example:50051", ca: site-b-ca.crt, certificate: here.crt, key: here.key}
    id: site-a                                  # with it, oaktrees that call each other detect loops
    watch: {interval: 2}                        # seconds between polls; watchers of the same subject share them
    operations: {database: "sqlite:////var/lib/oaktree/operations.sqlite", keep: 604800}   # or postgresql://..., mariadb://...: one for all workers
    webhooks:                                   # told when operations end; secret: a file with whsec_ and base64 of 24 to 64 random bytes
      - {name: ci, url: "https://ci.example/oaktree", secret: ci.key, callers: ["certificate:ops"]}
    uploads: {folder: /var/lib/oaktree/uploads, largest: 68719476736, at_once: 4}
    redis: "redis://127.0.0.1:6379/0"           # shared by workers and machines: rate limits and the cache
    limits: {default: {rate: 50, burst: 10, operations: 20}, clouds: {CloudTwo: {rate: 5}}}   # of a cloud-region: requests per second, creates at once
    cache: {fresh: 10, stale: 50}               # seconds; without it, lists are not cached
    workers: 4                                  # processes; several need TCP addresses
    timeout: 30                                 # seconds, for each cloud's part of a call
    threads: 256

Relative paths are relative to the file.
"""

import contextlib
import hashlib
import ipaddress
import os
import re
import socket
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

import pydantic
import yaml

from oaktree.address import default_address
from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.access.policy import EVERYTHING, Policy
from openstackoid.oaktree.verbs import PERMISSIONS, REST

Seconds = Annotated[float, pydantic.Field(gt=0, le=86400)]
# The name of a caller, a policy, or another oaktree.
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.@:-]{0,63}$"
_Name = Annotated[str, pydantic.StringConstraints(pattern=_NAME)]


def _path(path: Path, info: pydantic.ValidationInfo) -> Path:
    return (info.context or Path()) / path.expanduser()


File = Annotated[Path, pydantic.AfterValidator(_path)]


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Tls(_Part):
    """Certificates of the TCP addresses, as PEM files; read again when they change."""

    certificate: File  # with the intermediate certificates
    key: File
    client_ca: File | None = None  # the authority of callers' certificates; all TCP callers then need one


class Certificate(_Part):
    """A caller with a client certificate: identified by a subject alternative name, or by the common name if there are none."""

    name: _Name
    policy: _Name
    san: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=2048)] | None = None  # a DNS name or a URI
    common_name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)] | None = None

    @pydantic.model_validator(mode="after")
    def _one(self) -> Self:
        if (self.san is None) == (self.common_name is None):
            raise ValueError("expected either san or common_name")
        return self


class Tokens(_Part):
    """Callers with Keystone's tokens or application credentials."""

    policy: _Name | None = None  # without one, everything that their cloud allows
    remember: Annotated[float, pydantic.Field(ge=0, le=3600)] = 60  # seconds until it is validated again
    wait: Seconds = 5  # maximum wait for Keystones; a cloud that takes longer is left out of the call


def _switched(value: Any) -> Any:
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


class Callers(_Part):
    """The callers that are accepted."""

    local: bool | None = None
    certificates: tuple[Certificate, ...] = ()
    tokens: Annotated[Tokens | None, pydantic.BeforeValidator(_switched)] = None

    @property
    def local_allowed(self) -> bool:
        """Whether a caller that connects without TLS acts as the clouds.yaml's user."""
        return self.local if self.local is not None else not (self.certificates or self.tokens)


class Peers(_Part):
    """Clouds behind OpenStackoid gateways, accessed as users of the gateways' own clouds."""

    of: tuple[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=255)], ...] = ()  # of the clouds.yaml
    refresh: Annotated[float, pydantic.Field(ge=1, le=86400)] = 60  # seconds after which a gateway is queried again


class Oaktree(_Part):
    """Another oaktree, whose clouds are served as `name/cloud`."""

    name: _Name
    target: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=300)]  # host:port, or unix:/path
    ca: File | None = None  # the authority of its certificate; by default the system's authorities
    certificate: File | None = None  # this server's client certificate
    key: File | None = None
    server_name: str | None = None  # the name in its certificate, if not the target's host
    plaintext: bool = False  # without TLS; Unix sockets and loopback only

    @pydantic.model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("expected both certificate and key, or neither")
        return self


class Watch(_Part):
    """Polling of clouds for changes. Seconds."""

    interval: Seconds = 2  # between two polls of the same subject
    longest: Seconds = 30  # between two polls of a cloud that does not answer
    patience: Seconds = 120  # a cloud that has not answered for this long ends its watches


class Uploads(_Part):
    """Uploads of images."""

    folder: File = pydantic.Field(
        default_factory=lambda: _state() / "uploads"
    )  # needs room for all concurrent uploads, in all formats
    largest: Annotated[int, pydantic.Field(ge=1)] = 64 * 1024**3  # bytes
    at_once: Annotated[int, pydantic.Field(ge=1, le=1024)] = 4


class Operations(_Part):
    """Recorded creates. Seconds."""

    database: str = pydantic.Field(default_factory=lambda: f"sqlite:///{_state() / 'operations.sqlite'}", repr=False)
    keep: Annotated[float, pydantic.Field(ge=3600, le=366 * 86400)] = (
        7 * 86400
    )  # after which they are deleted, with their keys
    lease: Annotated[float, pydantic.Field(ge=1, le=3600)] = 15  # without a renewal, the worker counts as dead
    settle: Annotated[float, pydantic.Field(ge=0, le=3600)] = (
        120  # for which a cloud may still process a request whose connection broke
    )


class Webhook(_Part):
    """An address that is told when operations end."""

    name: _Name
    url: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=2048)] = pydantic.Field(repr=False)
    secret: File  # signs what is sent
    callers: frozenset[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=255)]] = frozenset()  # all
    ca: File | None = None  # the authority of its certificate; by default the system's authorities

    @pydantic.field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError("expected https://HOST/...")
        if parts.username is not None or parts.password is not None:
            raise ValueError("expected no user and password: what is sent is signed")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("expected https, or a loopback address")
        return url


class Limit(_Part):
    """The limits of a cloud-region."""

    rate: Annotated[float, pydantic.Field(gt=0, le=100_000)] | None = None  # requests a second; None for no limit
    burst: Annotated[int, pydantic.Field(ge=1, le=100_000)] = 1  # requests at once, after a pause
    operations: Annotated[int, pydantic.Field(ge=1, le=100_000)] | None = None  # creates at once; None for no limit

    @pydantic.model_validator(mode="after")
    def _limits(self) -> Self:
        if self.rate is None and (self.operations is None or "burst" in self.model_fields_set):
            raise ValueError("expected rate, with or without burst, or operations")
        return self


class Limits(_Part):
    """The limits of cloud-regions, for all workers together; with Redis, for all machines."""

    default: Limit = Limit.model_construct()
    clouds: dict[str, Limit] = {}  # by the cloud's name, or "cloud/region"; the default does not apply to these

    def of(self, cloud: str, region: str) -> Limit:
        """The limits of a cloud-region."""
        return self.clouds.get(f"{cloud}/{region}") or self.clouds.get(cloud) or self.default


class Cache(_Part):
    """Lifetimes and sizes of the cache of lists. Seconds and bytes."""

    fresh: Annotated[float, pydantic.Field(ge=0, le=86400)] = 10  # returned as they are
    stale: Annotated[float, pydantic.Field(ge=0, le=86400)] = 50  # after that: returned, and renewed meanwhile
    memory: Annotated[int, pydantic.Field(ge=1)] = 256 * 1024**2  # of each worker, without Redis
    largest: Annotated[int, pydantic.Field(ge=1)] = 8 * 1024**2  # of one list of one cloud-region


class Config(_Part):
    """A server's configuration."""

    listen: list[str] = pydantic.Field(default_factory=lambda: [default_address()], min_length=1)
    clouds: File | None = None  # a clouds.yaml; None: the file that openstacksdk finds
    peers: Peers = Peers()
    tls: Tls | None = None
    callers: Callers = Callers()
    policies: dict[_Name, Policy] = {}
    oaktrees: tuple[Oaktree, ...] = ()
    id: Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = pydantic.Field(
        default_factory=lambda data: _default_id(data["listen"])
    )
    watch: Watch = Watch()
    operations: Operations = pydantic.Field(default_factory=Operations)
    webhooks: tuple[Webhook, ...] = ()
    uploads: Uploads = pydantic.Field(default_factory=Uploads)
    redis: str | None = pydantic.Field(
        default=None, repr=False
    )  # redis://, rediss:// or unix://: for limits and the cache
    limits: Limits = Limits()
    cache: Cache | None = None
    workers: Annotated[int, pydantic.Field(ge=1, le=256)] = 1
    timeout: Seconds = 30  # for each cloud's part of a call
    threads: Annotated[int, pydantic.Field(ge=1, le=4096)] = 256

    @pydantic.model_validator(mode="after")
    def _whole(self) -> Self:
        for name in (
            *(certificate.policy for certificate in self.callers.certificates),
            self.callers.tokens and self.callers.tokens.policy,
        ):
            if name and name not in self.policies:
                known = ", ".join(sorted(self.policies)) or "none"
                raise ValueError(f"callers: policy {name} is not among policies ({known})")
        sites = [remote.name for remote in self.oaktrees]
        if len(set(sites)) != len(sites):
            raise ValueError("oaktrees: expected different names")
        hooks = [webhook.name for webhook in self.webhooks]
        if len(set(hooks)) != len(hooks):
            raise ValueError("webhooks: expected different names")
        names = [certificate.name for certificate in self.callers.certificates]
        if len(set(names)) != len(names):
            raise ValueError("callers.certificates: expected different names")
        for certificate in self.callers.certificates:
            policy = self.policies[certificate.policy]
            if REST in policy.verbs and policy.limited:
                raise ValueError(
                    f"policies.{certificate.policy}: rest gives a token of the clouds.yaml's user, which no policy limits: "
                    f"with it, for certificates, expected all verbs ({', '.join(sorted(PERMISSIONS))}) and kinds"
                )
        for name, policy in self.policies.items():
            for site in sites:
                try:
                    policy.below(site)
                except ValueError as error:
                    raise ValueError(f"policies.{name}.locations: {error}") from None
        return self

    def policy(self, name: str | None) -> Policy:
        """The policy with this name; a policy that allows everything for None."""
        return EVERYTHING if name is None else self.policies[name]


def _state() -> Path:
    """The user's folder for persistent state of programs."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "oaktree"


def _default_id(listen: list[str]) -> str:
    # The same for all workers of a server, and after a restart; different for servers with another host, user or address.
    return hashlib.sha256("\n".join([socket.gethostname(), str(os.getuid()), *listen]).encode()).hexdigest()[:32]


def load(path: Path | None) -> Config:
    """Load the configuration from a file, or the default.

    Raises:
        ConfigError: the file is invalid; names the file, the option, and the expected value.
    """
    if path is None:
        return Config()
    try:
        document = yaml.safe_load(path.read_text()) or {}
        return Config.model_validate(document, context=path.absolute().parent)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected UTF-8") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: expected YAML: {str(error).splitlines()[0]}") from error
    except pydantic.ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"])) or "the file"
        message = re.sub(r"^Value error, ", "", wrong["msg"])
        raise ConfigError(f"{path}: {place}: {message}") from error
