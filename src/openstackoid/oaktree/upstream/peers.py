"""The peers of gateways as clouds of their own: their names, their scopes, and the peer lists of gateways. Pure.

The gateway of a cloud of the `clouds.yaml`, the *home*, works with other clouds. Each peer is served as `CloudOne:CloudTwo`, home first: a unique
name, whatever the gateway answers, and the same whether or not the `clouds.yaml` has a CloudTwo as well. Requests to a peer go to home's own endpoints,
with a scope that names the peer; identity stays at home.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from grpc import StatusCode

from openstackoid.core import scope
from openstackoid.oaktree import errors

_MOST: Final = 256  # peers of one gateway: a larger number is not plausible


class PeersError(errors.OaktreeError):
    """The peers of a gateway are not known."""

    code: ClassVar[StatusCode] = StatusCode.UNAVAILABLE
    reason: ClassVar[str] = "PEERS_UNKNOWN"


class NoGatewayError(PeersError):
    """The server that answers is no gateway; it would ignore a scope."""

    code: ClassVar[StatusCode] = StatusCode.FAILED_PRECONDITION
    reason: ClassVar[str] = "GATEWAY_MISSING"


@dataclass(frozen=True)
class Peer:
    """A peer.

    Attributes:
        name: the peer's name as a cloud here: "CloudOne:CloudTwo".
        home: the cloud of the `clouds.yaml` whose gateway leads to it.
        scope: the value of `X-Scope`.
        services: official types of the services that it offers.
    """

    name: str
    home: str
    scope: str
    services: tuple[str, ...] = ()


def prefix(home: str) -> str:
    """The prefix of the names of a home's peers."""
    return f"{home}:"


def read(home: str, document: Any) -> tuple[Peer, ...]:
    """Parse a gateway's list of peers (`GET /openstackoid/v1/peers`). Returns them sorted.

    Raises:
        ValueError: the document is not a gateway's list of peers.
    """
    try:
        here = _name(document["cloud"])
        offered = {_name(peer["name"]): _offered(peer) for peer in document["peers"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("expected a gateway's list of its peers") from error
    if len(offered) > _MOST:
        raise ValueError(f"expected {_MOST} peers at most, got {len(offered)}")
    return tuple(Peer(prefix(home) + name, home, _scope(here, name), offered[name]) for name in sorted(offered))


def _name(value: Any) -> str:
    if not isinstance(value, str) or not scope.is_name(value):
        raise ValueError("expected names of clouds, as scopes have them")
    return value


def _offered(peer: Mapping[str, Any]) -> tuple[str, ...]:
    # The services that the agreement opens. Clouds of one owner have no agreement, and open all services but identity.
    agreement = peer.get("agreement")
    services = agreement.get("offered_there") if agreement else peer.get("services")
    return tuple(sorted({str(service) for service in services or ()} - {"identity"}))


def _scope(here: str, peer: str) -> str:
    # By the gateway's own name for home, which need not be that of the clouds.yaml.
    return scope.format(scope.Scope.of({scope.REST: scope.Name(peer), "identity": scope.Name(here)}))


class Peers:
    """The known peers of all gateways. Thread-safe."""

    def __init__(self, regions: Mapping[str, str] | None = None) -> None:
        """Create the set without known peers.

        Args:
            regions: for each home the region that peers are reached through.
        """
        self._regions: Final = dict(regions or {})
        self._known: Final[dict[str, Mapping[str, Peer]]] = {}
        self._errors: Final[dict[str, PeersError]] = {}

    @property
    def homes(self) -> tuple[str, ...]:
        """The clouds whose gateways are queried; sorted."""
        return tuple(sorted(self._regions))

    def region(self, home: str) -> str:
        """The region that a home's peers are reached through."""
        return self._regions[home]

    def home(self, cloud: str) -> str | None:
        """The home in a name of the form of a peer's name; None for all other names."""
        return next((region for region in self._regions if cloud.startswith(prefix(region))), None)

    def learn(self, home: str, peers: Iterable[Peer]) -> None:
        """Replace the known peers of a home."""
        self._known[home] = {peer.name: peer for peer in peers}
        self._errors.pop(home, None)

    def lose(self, home: str, error: PeersError) -> bool:
        """Record that a gateway did not answer. Keeps the known peers, unless the error is NoGatewayError. Returns whether the error is a new one."""
        before = self._errors.get(home)
        self._errors[home] = error
        if isinstance(error, NoGatewayError):
            self._known.pop(home, None)
        return str(before) != str(error)

    def places(self, wanted: str = "") -> Iterator[tuple[str, str]]:
        """Names and regions of all peers.

        A gateway whose peers are not known has one placeholder: `CloudOne:`, or the wanted name. Requests to the placeholder raise the error.
        """
        for home, region in self._regions.items():
            known = self._known.get(home)
            if known is not None:
                yield from ((name, region) for name in known)
            else:
                yield (wanted if wanted.startswith(prefix(home)) else prefix(home)), region

    def find(self, cloud: str) -> Peer | PeersError | None:
        """Find a peer by name. Returns the error if the peer is not known, or None if the name is not of a peer's form."""
        home = self.home(cloud)
        if home is None:
            return None
        known = self._known.get(home)
        if known is None:
            return self._errors.get(home) or PeersError(f"the gateway of {home} has not told its peers yet")
        return known.get(cloud) or PeersError(f"the gateway of {home} has no peer {cloud.removeprefix(prefix(home))}")
