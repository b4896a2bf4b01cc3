"""Routing: `decide()` returns where a request goes, `explain()` why. Pure: the same facts give the same decision.

    facts + scope + clouds -> Local   to this cloud's backend
                           -> Remote  to the frontend of another cloud, which decides again: Local
                           -> Reject  an error of `core.errors`, before anything is sent

Rules, in this order:

1. A request that passed through this gateway before is a loop.
2. Operators are parsed, and refused until several clouds in one request are built.
3. Every cloud that the scope names must be known here, and every service type must be official or exist in a known cloud: work that begins must
   be able to end, and a misspelled type must not silently mean this cloud. (A gateway that only forwards a request, or
   validates a token, checks only the one service in question.)
4. Services that make a server together must be of one cloud when a server changes: nova, given another cloud's
   network, answers 500 after a 202. Looking is free.
5. The cloud must have the service.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from openstackoid.core import errors
from openstackoid.core.catalog import Cloud
from openstackoid.core.scope import REST, Name, Scope
from openstackoid.core.scope import format as format_scope
from openstackoid.core.services import is_official, suggested

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one request that a decision depends on.

    Attributes:
        service: official service type of the frontend that received the request.
        method: HTTP method.
        path: path inside the service, such as `/v2.1/servers`.
        hops: names of the clouds that the request passed through before this one.
    """

    service: str
    method: str = "GET"
    path: str = "/"
    hops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloudMap:
    """This cloud and its peers.

    Attributes:
        here: this cloud.
        peers: name -> cloud; None until a peer has answered what it serves.
    """

    here: Cloud
    peers: Mapping[str, Cloud | None] = field(default_factory=dict)

    @property
    def known(self) -> list[str]:
        """Names of all clouds, this one first."""
        return [self.here.name, *sorted(self.peers)]


@dataclass(frozen=True, slots=True)
class Local:
    """To this cloud's backend."""

    cloud: str
    why: str


@dataclass(frozen=True, slots=True)
class Remote:
    """To the frontend of another cloud, at `url` (a base URL)."""

    cloud: str
    url: str
    why: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The request is refused, with the error that the user reads."""

    error: errors.OpenStackoidError
    cloud: str | None = None

    @property
    def why(self) -> str:
        """The error's message."""
        return str(self.error)


Decision: TypeAlias = Local | Remote | Reject


@dataclass(frozen=True, slots=True)
class _Together:
    """Services that must be of one cloud for requests to `path` that change something."""

    services: tuple[str, ...]
    path: re.Pattern[str]
    what: str


# Paths of nova's API (nova/api/openstack/compute/routes.py); a project id may stand after the version.
_SERVERS: Final = r"(?:/v2(?:\.\d+)?)?(?:/[0-9a-f-]{32,36})?/servers"
_TOGETHER: Final = (
    _Together(
        ("compute", "network", "placement"),
        re.compile(rf"{_SERVERS}(?:/(?!.*/(?:metadata|tags)(?:/|$)).*)?$"),
        "A server's compute, network and placement",
    ),
    _Together(
        ("compute", "block-storage"),
        re.compile(rf"{_SERVERS}/[^/]+/os-volume_attachments"),
        "A server and the volumes attached to it",
    ),
)


def decide(facts: Facts, scope: Scope, clouds: CloudMap) -> Decision:
    """Where a request goes.

    Args:
        facts: the request.
        scope: as it arrived; services that it does not name are bound to this cloud.
        clouds: the clouds that this one knows.
    """
    try:
        return _decide(facts, scope, clouds)
    except errors.RoutingError as error:
        return Reject(error, _single(scope, facts.service, clouds))


def explain(facts: Facts, scope: Scope, clouds: CloudMap) -> dict[str, Any]:
    """The decision and its reasons, as JSON for people: see `docs/reference/gateway.md`."""
    decision = decide(facts, scope, clouds)
    return {
        "entry": clouds.here.name,
        "service": facts.service,
        "method": facts.method,
        "path": facts.path,
        "scope": {kind: str(expression) for kind, expression in scope.explicit(clouds.here.name).entries},
        "decision": type(decision).__name__.lower(),
        "cloud": decision.cloud,
        "url": decision.url if isinstance(decision, Remote) else None,
        "why": [*_reasons(facts, scope, clouds), decision.why],
        "error": decision.error.body()["error"] if isinstance(decision, Reject) else None,
    }


def _decide(facts: Facts, scope: Scope, clouds: CloudMap) -> Local | Remote:
    here = clouds.here.name
    if here in facts.hops:
        raise errors.LoopError(
            f"The request came back to {here} after {' -> '.join(facts.hops)}: "
            f"a peer's name leads to the wrong cloud. Compare the peers of these gateways."
        )
    if not scope:
        return _serve(here, facts, clouds, f"no scope: {facts.service} is of the entry cloud")
    # For a forwarded request (hops), and for validation, only the requested service is checked: this cloud may know fewer clouds than the entry.
    only = facts.service if facts.hops or facts.service == "identity" else None
    _check_names(scope, clouds, only)
    if facts.method not in READS and facts.service == "compute":
        _check_together(facts, scope, clouds)
    cloud = _single(scope, facts.service, clouds) or here
    return _serve(cloud, facts, clouds, f"{facts.service} is of {cloud}")


def _serve(cloud: str, facts: Facts, clouds: CloudMap, why: str) -> Local | Remote:
    if cloud == clouds.here.name:
        if facts.service not in clouds.here.services:
            raise _missing(clouds.here, facts.service)
        return Local(cloud, f"{why}, which is this cloud")
    peer = clouds.peers[cloud]
    if peer is None:
        raise errors.NoSuchServiceError(f"Nothing is known yet of what {cloud} serves.")
    if facts.service not in peer.services:
        raise _missing(peer, facts.service)
    return Remote(cloud, peer.services[facts.service], f"{why}, a peer of {clouds.here.name}")


def _missing(cloud: Cloud, service: str) -> errors.NoSuchServiceError:
    return errors.NoSuchServiceError(
        f"{cloud.name} has no {service} service. It has: {', '.join(sorted(cloud.services)) or 'none'}."
    )


def check_services(scope: Scope, clouds: Iterable[Cloud | None]) -> None:
    """Refuse a scope with an unknown service type: the service that its author meant would silently stay at the entry cloud.

    Args:
        scope: as it arrived.
        clouds: all known clouds; None for a cloud whose catalog is unknown.

    Raises:
        UnknownServiceError: a type is neither official nor a private one of a known cloud.
    """
    private = [kind for kind, _ in scope.entries if kind != REST and not is_official(kind)]
    if not private:
        return
    served = {kind for cloud in clouds if cloud for kind in cloud.services}
    for kind in private:
        if kind not in served:
            meant = suggested(kind, served)
            raise errors.UnknownServiceError(
                f"The scope names the service type {kind}, which no known cloud has"
                + (f". Did you mean {meant}?" if meant else f". They have: {', '.join(sorted(served))}.")
            )


def _check_names(scope: Scope, clouds: CloudMap, only: str | None) -> None:
    if only is None:
        check_services(scope, (clouds.here, *clouds.peers.values()))
    for kind, expression in _entries(scope, only):
        cloud = scope.only(kind)
        if cloud is None:
            raise errors.NotBuiltError(
                f'Several clouds in one request are not served yet: "{kind}": "{expression}". Name one cloud for each service.'
            )
        if cloud != clouds.here.name and cloud not in clouds.peers:
            raise errors.UnknownCloudError(
                f"{clouds.here.name} knows no cloud {cloud} (asked for {kind}). It knows: {', '.join(clouds.known)}."
            )


def _entries(scope: Scope, only: str | None) -> Iterator[tuple[str, Any]]:
    if only is None:
        yield from scope.entries
    elif (expression := scope.get(only)) is not None:
        yield only, expression


def _check_together(facts: Facts, scope: Scope, clouds: CloudMap) -> None:
    for rule in _TOGETHER:
        if not rule.path.match(facts.path):
            continue
        chosen = {kind: _single(scope, kind, clouds) for kind in rule.services}
        if len(set(chosen.values())) > 1:
            wanted = chosen["compute"]
            remedy = dict(scope.entries) | {kind: Name(wanted or clouds.here.name) for kind in rule.services}
            raise errors.SplitServerError(
                f"{rule.what} must be of one cloud, but the scope takes "
                f"{', '.join(f'{kind} from {cloud}' for kind, cloud in chosen.items())}. "
                f"Name one cloud for all of them, for instance --os-scope '{format_scope(Scope.of(remedy))}'."
            )


def _single(scope: Scope, service: str, clouds: CloudMap) -> str | None:
    return clouds.here.name if scope.get(service) is None else scope.only(service)


def _reasons(facts: Facts, scope: Scope, clouds: CloudMap) -> list[str]:
    named = dict(scope.entries)
    if facts.service in named:
        return [f"the scope names {facts.service}: {named[facts.service]}"]
    if REST in named:
        return [f"the scope does not name {facts.service}; * says {named[REST]}"]
    return [f"the scope does not name {facts.service}: the entry cloud, {clouds.here.name}, serves it"]
