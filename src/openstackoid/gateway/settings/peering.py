"""What the gateway's configuration says of other clouds: who they are, where they call, and what trust in them needs."""

import contextlib
import ipaddress
from typing import Annotated, Literal
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


def _fingerprint(text: str) -> str:
    if not is_fingerprint(text):
        raise ValueError("expected a key's fingerprint, 43 characters of base64url")
    return text


class Peer(Section):
    """Another cloud. `services` (type -> URL) spares asking it what it serves.

    Attributes:
        url: base URL of its gateway.
        token: `federated` between owners; `pass-through` between clouds of one owner.
        tls_name: the name in its certificate, where the URL's host is an IP address: HAProxy compares names alone.
        labels: what `@label` finds, instead of what it says of itself.
        fingerprint: thumbprint of a signing key of it (`federated` only).
        allow: what it may do here (`federated` only).
    """

    url: Base
    token: Literal["federated", "pass-through"] = "federated"  # noqa: S105 - a mode, no secret
    tls_name: str | None = None
    services: dict[str, Base] | None = None
    labels: list[Named] | None = None
    fingerprint: Annotated[str, AfterValidator(_fingerprint)] | None = None
    allow: Grant | None = None


class Peering(Section):
    """Where other clouds' gateways call: every service below one URL, by its type."""

    url: Base
    listen: Listen | None = None
    tls: Tls | None = None
    regions: Base | None = None

    @property
    def address(self) -> str:
        """ADDRESS:PORT where the gateway listens for peers."""
        return address_of(self.url, self.listen)


class Trust(Section):
    """What federated tokens need.

    Attributes:
        keys, keys_env, keys_command: where this cloud's keys are: a file, a variable, or what a command prints.
        database, database_env: SQLAlchemy URL, or the variable that holds it.
        account: a user of this cloud who may make projects in the domain of `projects: each:DOMAIN_ID`.
        lifetime: seconds that a federated token lives: so long, at most, an issued token outlives the revocation of the user's.
        recheck: seconds for which an answer of this cloud's Keystone about a token counts.
        skew: seconds by which the clocks of two clouds may differ.
        allow_expired_window: seconds for which an expired token still serves work that began, as Keystone's option.
        service_roles: roles of this cloud's services, as keystonemiddleware's `service_token_roles`.
    """

    keys: ExistingFile | None = None
    keys_env: str | None = None
    keys_command: list[str] | None = None
    database: DatabaseUrl | None = None
    database_env: str | None = None
    account: Catalog | None = None
    lifetime: Annotated[int, Field(ge=30, le=3600)] = 300
    recheck: Annotated[float, Field(ge=0, le=300)] = 10
    skew: Annotated[int, Field(ge=0, le=120)] = 30
    allow_expired_window: Annotated[int, Field(ge=0, le=14 * 86400)] = 172800
    service_roles: list[str] = Field(default_factory=lambda: ["service", "admin"])

    @model_validator(mode="after")
    def _one_of_each(self) -> "Trust":
        if sum(each is not None for each in (self.keys, self.keys_env, self.keys_command)) != 1:
            raise ValueError("expected one of keys, keys_env and keys_command")
        if (self.database is None) is (self.database_env is None):
            raise ValueError("expected one of database and database_env")
        return self


def fits(name: str, peer: Peer, trust: Trust | None) -> None:
    """Check what a peer's entry says of trust against how its tokens go, and the cloud's own `trust` section.

    Raises:
        ValueError: naming the key that is too much, or lacks.
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
    """Whether nobody can listen on the way to a base URL: TLS, or this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    return False
