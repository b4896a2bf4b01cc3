"""The configuration's sections about other clouds: the peers, the peering address, and trust."""

import contextlib
import ipaddress
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from openstackoid.gateway.settings.fields import (
    Base,
    Catalog,
    DatabaseUrl,
    ExistingFile,
    Listen,
    Named,
    Section,
    Tls,
    address_of,
)
from openstackoid.trust.agreements import is_fingerprint
from openstackoid.trust.grants import Grant

RECHECK: Final = 10.0  # seconds
SERVICE_ROLES: Final = ("service", "admin")  # keystonemiddleware's default, and what older deployments give services


def _fingerprint(text: str) -> str:
    if not is_fingerprint(text):
        raise ValueError("expected a key's fingerprint, 43 characters of base64url")
    return text


class Peer(Section):
    """A peer. With `services` (type -> URL) the gateway does not fetch the peer's catalog.

    Attributes:
        url: base URL of its gateway.
        token: `federated` between owners; `pass-through` between clouds of one owner.
        tls_name: the name in its certificate, where the URL's host is an IP address: HAProxy compares names alone.
        labels: the labels for `@label`; they replace those that the peer publishes.
        fingerprint: thumbprint of one of its signing keys (`federated` only).
        allow: the grant: its users' rights here (`federated` only).
    """

    url: Base
    token: Literal["federated", "pass-through"] = "federated"  # noqa: S105 - a mode, no secret
    tls_name: str | None = None
    services: dict[str, Base] | None = None
    labels: list[Named] | None = None
    fingerprint: Annotated[str, AfterValidator(_fingerprint)] | None = None
    allow: Grant | None = None


class Peering(Section):
    """The peering address, which other clouds' gateways call: every service below one URL, by its type."""

    url: Base
    listen: Listen | None = None
    tls: Tls | None = None
    regions: Base | None = None

    @property
    def address(self) -> str:
        """ADDRESS:PORT where the gateway listens for peers."""
        return address_of(self.url, self.listen)


class Trust(Section):
    """Settings for federated tokens.

    Attributes:
        keys, keys_env, keys_command: source of this cloud's keys: a file, an environment variable, or the output of a command.
        database, database_env: SQLAlchemy URL, or the variable that holds it.
        account: a user of this cloud who may make projects in the domain of `projects: each:DOMAIN_ID`.
        quota_account: a user who may see and set quotas of these projects, and list their servers and images; `account` if not given.
        lifetime: seconds that a federated token lives; an issued token outlives the revocation of the user's token by at most this time.
        recheck: seconds for which an answer of this cloud's Keystone about a token counts.
        skew: seconds by which the clocks of two clouds may differ.
        allow_expired_window: seconds for which an expired token still serves work that began before, as Keystone's option.
        check_projects: seconds between two questions to a peer which of its projects are gone.
        service_roles: roles of this cloud's services, as keystonemiddleware's `service_token_roles`.
        one_owner: names of clouds of this cloud's owner: under contracts with these whose terms say so, users' own tokens cross.
    """

    keys: ExistingFile | None = None
    keys_env: str | None = None
    keys_command: list[str] | None = None
    database: DatabaseUrl | None = None
    database_env: str | None = None
    account: Catalog | None = None
    quota_account: Catalog | None = None
    lifetime: Annotated[int, Field(ge=30, le=3600)] = 300
    recheck: Annotated[float, Field(ge=0, le=300)] = RECHECK
    skew: Annotated[int, Field(ge=0, le=120)] = 30
    allow_expired_window: Annotated[int, Field(ge=0, le=14 * 86400)] = 172800
    check_projects: Annotated[float, Field(ge=0.1, le=86400)] = 3600
    service_roles: list[str] = Field(default_factory=lambda: list(SERVICE_ROLES))
    one_owner: list[Named] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_of_each(self) -> "Trust":
        if sum(source is not None for source in (self.keys, self.keys_env, self.keys_command)) != 1:
            raise ValueError("expected one of keys, keys_env and keys_command")
        if (self.database is None) is (self.database_env is None):
            raise ValueError("expected one of database and database_env")
        return self


def fits(name: str, peer: Peer, trust: Trust | None) -> None:
    """Check that a peer's keys about trust fit its kind of token, and the cloud's own `trust` section.

    Raises:
        ValueError: naming the key that is superfluous or missing.
    """
    if peer.token == "pass-through":  # noqa: S105 - a mode
        if peer.allow or peer.fingerprint:
            raise ValueError(f"peers.{name}: allow and fingerprint are of federated peers; tokens pass through here")
        return
    if trust is None:
        raise ValueError(
            f"peers.{name}: expected a trust section for a federated peer, "
            "or token: pass-through, which hands it our users' tokens (clouds of one owner only)"
        )
    if peer.fingerprint is None or peer.allow is None:
        raise ValueError(f"peers.{name}: expected fingerprint and allow for a federated peer")
    if not is_safe(peer.url):
        raise ValueError(f"peers.{name}.url: expected https for a federated peer, got {peer.url}")


def is_safe(url: str) -> bool:
    """Whether traffic to a base URL cannot be eavesdropped: the URL uses TLS, or is on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    return False
