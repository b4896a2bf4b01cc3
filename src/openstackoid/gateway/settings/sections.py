"""Sections of the configuration about the gateway itself: its services, HAProxy, timeouts."""

import contextlib
import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from openstackoid.core.catalog import PROJECT, base_url
from openstackoid.core.scope import is_name
from openstackoid.gateway.settings.fields import (
    Base,
    DatabaseUrl,
    ExistingFile,
    Listen,
    RelativePath,
    Seconds,
    Section,
    WritableDirectory,
    address_of,
)

_IPV6 = 6
_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?\Z")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\Z")


def _endpoint(text: str) -> str:
    base_url(text.replace(PROJECT, "0"))
    return text


def _host(text: str) -> str:
    """A host as it stands before a port: an IPv6 address in brackets."""
    bare = text.removeprefix("[").removesuffix("]")
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(bare)
        return f"[{address}]" if address.version == _IPV6 else str(address)
    if not _NAME.match(text):
        raise ValueError("expected a host or an address, without a port")
    return text


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
        gateway: host where the gateway then listens, at the frontends' ports, without TLS; only HAProxy may be able to reach it.
        directory: where HAProxy's configuration and maps are written, and its admin socket is.
        threads: of HAProxy; one a core if not given.
        log: where HAProxy logs requests that bypass the gateway, one audit line each: stdout, /dev/log, ADDRESS:PORT, or none.
        metrics: ADDRESS:PORT of HAProxy's own exporter for Prometheus; no exporter if not given.
    """

    gateway: Annotated[str, AfterValidator(_host)]
    directory: RelativePath = Field(default=Path("haproxy"), validate_default=True)
    threads: Annotated[int, Field(ge=1, le=64)] | None = None
    log: Annotated[str, Field(pattern=r"^[A-Za-z0-9/.:_@-]{1,200}$")] = "stdout"
    metrics: Listen | None = None


class Admin(Section):
    """The operators' address, with health and metrics."""

    listen: Listen


class OperatorsApi(Section):
    """The operators' API, at the frontends, for tokens of this cloud.

    Attributes:
        policy: own rules of oslo.policy; None for the defaults.
        audit: files with lines of audit that the API reads beside `audit`, such as HAProxy's, each with what it was rotated to.
    """

    policy: ExistingFile | None = None
    audit: Annotated[list[RelativePath], Field(max_length=7)] = Field(default_factory=list)


class Timeouts(Section):
    """Seconds: `connect`, to connect; `idle`, without a byte; `refresh`, between two polls of a peer; `grace`, for running requests at a stop."""

    connect: Seconds = 5
    idle: Seconds = 60
    refresh: Seconds = 30
    grace: Seconds = 30


class Fanout(Section):
    """Requests to several clouds.

    Attributes:
        timeout: seconds after which a cloud that has not answered is missing; a client may ask for fewer.
        clouds: that one request may ask.
        at_once: clouds that one request asks at a time.
        running: such requests that run at a time, in one worker.
        running_per_user: of one user's token.
        memory: bytes of one list in memory, items and their ids and sort keys; further ones wait in a file until they are sent.
        disk: bytes of that file; a cloud whose items have no room is missing.
        directory: of the file, which has no name there; the system's for temporary files if it is None.
    """

    timeout: Seconds = 10
    clouds: Annotated[int, Field(ge=1, le=10_000)] = 1024
    at_once: Annotated[int, Field(ge=1, le=10_000)] = 128
    running: Annotated[int, Field(ge=1, le=10_000)] = 32
    running_per_user: Annotated[int, Field(ge=1, le=10_000)] = 8
    memory: Annotated[int, Field(ge=0)] = 16 << 20
    disk: Annotated[int, Field(ge=0)] = 2 << 30
    directory: WritableDirectory | None = None


class Rates(Section):
    """Requests a second.

    Attributes:
        peers: to a peer, by its name; `*` is for each peer without a rate of its own.
        wait: seconds that a request waits for its turn; a read of several clouds waits until its own deadline.
        redis, redis_env: URL of the Redis that all workers and gateways of this cloud share, or the variable that holds it.
        gateways: machines that share it: while it is away, each worker keeps to its part.
    """

    peers: dict[str, Annotated[float, Field(gt=0, le=1_000_000)]] = Field(default_factory=dict)
    wait: Annotated[float, Field(ge=0, le=60)] = 5
    redis: Annotated[str, Field(pattern=r"^(?:redis|rediss|unix)://")] | None = None
    redis_env: str | None = None
    gateways: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="after")
    def _fits_together(self) -> "Rates":
        if self.redis is not None and self.redis_env is not None:
            raise ValueError("expected one of redis and redis_env")
        if self.redis_env is not None and not os.environ.get(self.redis_env):
            raise ValueError(f"redis_env: expected a URL in the variable {self.redis_env}")
        for name in self.peers:
            if name != "*" and not is_name(name):
                raise ValueError(f'peers: expected names of peers, or "*", got {name!a}')
        return self


def _origin(text: str) -> str:
    """An origin as browsers write it (RFC 6454, 6.2), or `*`."""
    if text != "*" and (
        not _ORIGIN.match(text) or text.endswith({"http": ":80", "https": ":443"}[text.partition(":")[0]])
    ):
        raise ValueError(
            "expected an origin as browsers send it, such as https://app.example or http://localhost:8080: in lower case, "
            "without a path, and without the scheme's own port; or *"
        )
    return text


Origin = Annotated[str, AfterValidator(_origin)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,128}$"), AfterValidator(str.lower)]


class CorsSection(Section):
    """Pages of other origins that may call the gateway from a browser.

    Attributes:
        allowed_origins: of these pages; or `*` alone, for any.
        allow_headers: of their requests, beside those that OpenStack's services and the gateway read.
        expose_headers: of answers, beside those of OpenStack's services and the gateway.
        allow_credentials: whether browsers may send cookies; tokens need none.
        max_age: seconds for which a browser may keep the answer to a preflight.
    """

    allowed_origins: Annotated[list[Origin], Field(min_length=1, max_length=1000)]
    allow_headers: Annotated[list[HeaderName], Field(max_length=100)] = Field(default_factory=list)
    expose_headers: Annotated[list[HeaderName], Field(max_length=100)] = Field(default_factory=list)
    allow_credentials: bool = False
    max_age: Annotated[int, Field(ge=0, le=86400)] = 3600

    @model_validator(mode="after")
    def _any_without_credentials(self) -> "CorsSection":
        if "*" in self.allowed_origins and (len(self.allowed_origins) > 1 or self.allow_credentials):
            raise ValueError(
                "allowed_origins: * stands alone, and not with allow_credentials: name the origins instead"
            )
        return self


class Operations(Section):
    """Changes in several clouds, on record.

    Attributes:
        database, database_env: where they are on record; all gateways of this cloud share it.
        keys: file of this cloud's keys (`openstackoid key create`), which encrypt the requests on record; those of `trust` if not given.
        timeout: seconds for a request to one cloud.
        lease: seconds after which another gateway takes an operation over.
        settle: seconds after which a cloud no longer processes a request whose answer never came.
        scan: seconds between two looks for operations that nobody runs.
        keep: seconds after which an operation is deleted, with its idempotency key.
        reconcile: seconds between two repairs of replicas whose members may differ.
        copies, copies_per_user: copies of images that run at a time in one worker, in all and of one user.
        least_rate: bytes a second that a cloud must send or take of an image; 0 for any rate.
    """

    database: DatabaseUrl | None = None
    database_env: str | None = None
    keys: ExistingFile | None = None
    timeout: Seconds = 60
    lease: Seconds = 15
    settle: Seconds = 120
    scan: Seconds = 5
    reconcile: Seconds = 300
    keep: Annotated[float, Field(gt=0, le=365 * 86400)] = 7 * 86400
    copies: Annotated[int, Field(ge=1, le=1000)] = 8
    copies_per_user: Annotated[int, Field(ge=1, le=1000)] = 4
    least_rate: Annotated[float, Field(ge=0, le=1e9)] = 16_384

    @model_validator(mode="after")
    def _one_database(self) -> "Operations":
        if (self.database is None) is (self.database_env is None):
            raise ValueError("expected one of database and database_env")
        return self
