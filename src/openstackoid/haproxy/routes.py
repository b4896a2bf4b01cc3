"""The choice of the backend, by names in the configuration: no text of a request becomes a backend's name. Pure."""

from collections.abc import Iterator

from openstackoid.haproxy.patterns import literal
from openstackoid.haproxy.plan import Front, Service


def name_of(kind: str) -> str:
    """The backend of a service."""
    return f"service_{kind}"


def targets(front: Front) -> Iterator[str]:
    """Rules that choose the backend: of a service, of peers, or the gateway. The most frequent first."""
    yield "  # Where to: the service; a peer of the same owner (own) or of another (others), by TLS or not; or the gateway."
    yield "  acl is_away var(txn.away) -m found"
    yield "  acl to_peer var(txn.peer) -m found"
    yield "  acl token_replaced var(txn.learned) -m found"
    yield "  # By TLS, unless it is said otherwise: a place in the form of another version fails, and no token is sent in the clear."
    yield f"  acl without_tls {begins_with('place', 'P')}"
    yield "  acl is_once var(txn.once) -m found"
    for service in longest_first(front):
        target = name_of(service.kind) if service.direct else "gateway"
        yield f"  use_backend {target} if !is_away{condition(service)}"
    yield "  use_backend others_tls if to_peer token_replaced !without_tls"
    yield "  use_backend own_tls if to_peer !without_tls"
    yield "  use_backend others if to_peer token_replaced"
    yield "  use_backend own if to_peer"
    for service in longest_first(front):
        target = f"{name_of(service.kind)}_once" if service.direct else "gateway"
        yield f"  use_backend {target} if is_once{condition(service)}"
    yield "  default_backend gateway"


def begins_with(name: str, letter: str) -> str:
    """The condition that a variable begins with a letter: without a pattern, which costs twice as much."""
    return f"var(txn.{name}),bytes(0,1),field(2,{letter}) -m found"


def is_single(front: Front) -> bool:
    """Whether all paths are of one service, so that its name need not be looked up."""
    return len(front.services) == 1 and not front.services[0].prefix


def condition(service: Service) -> str:
    """The condition that a path belongs to a service; empty without a prefix."""
    return f" {{ path -m reg ^{literal(service.prefix)}(?:/|$) }}" if service.prefix else ""


def longest_first(front: Front) -> list[Service]:
    """Services in the order in which their paths are compared: the longest that fits wins, as at the gateway."""
    return sorted(front.services, key=lambda service: len(service.prefix), reverse=True)
