"""The peers of gateways as clouds of their own: their names, their scopes, and what gateways have told of them. Pure.

The gateway of a cloud of the `clouds.yaml`, the *home*, works with other clouds. Each is served as `CloudOne:CloudTwo`, home first: nobody else's
name, whatever the gateway says, and the same one whether the `clouds.yaml` has a CloudTwo too or not. Requests to it go to home's own endpoints,
with a scope that says which cloud is meant; identity stays at home.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from grpc import StatusCode

from openstackoid.core import scope
from openstackoid.oaktree import errors

_MOST: Final = 256  # peers of one gateway: more are no collaboration that anybody agreed on


class PeersError(errors.OaktreeError):
    """A gateway that has not told its peers."""

    code: ClassVar[StatusCode] = StatusCode.UNAVAILABLE
    reason: ClassVar[str] = "PEERS_UNKNOWN"


class NoGatewayError(PeersError):
    """What answers is no gateway: it would not read a scope either."""

    code: ClassVar[StatusCode] = StatusCode.FAILED_PRECONDITION
    reason: ClassVar[str] = "GATEWAY_MISSING"


@dataclass(frozen=True)
class Peer:
    """A peer.

    Attributes:
        name: of the cloud that it is here: "CloudOne:CloudTwo".
        home: the cloud of the `clouds.yaml` whose gateway leads to it.
        scope: the value of `X-Scope`.
        services: official types of what is offered there.
    """

    name: str
    home: str
    scope: str
    services: tuple[str, ...] = ()


def prefix(home: str) -> str:
    """How the names of a home's peers begin."""
    return f"{home}:"


def read(home: str, document: Any) -> tuple[Peer, ...]:
    """The peers that a gateway tells (`GET /openstackoid/v1/peers`), sorted.

    Raises:
        ValueError: that is not what gateways answer.
    """
    try:
        here = _name(document["cloud"])
        offered = {_name(each["name"]): _offered(each) for each in document["peers"]}
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
    # What the agreement opens; clouds of one owner have none, and open all but identity.
    agreement = peer.get("agreement")
    services = agreement.get("offered_there") if agreement else peer.get("services")
    return tuple(sorted({str(each) for each in services or ()} - {"identity"}))


def _scope(here: str, peer: str) -> str:
    # By the gateway's own name for home, which need not be that of the clouds.yaml.
    return scope.format(scope.Scope.of({scope.REST: scope.Name(peer), "identity": scope.Name(here)}))


class Peers:
    """What gateways have told so far. From any thread."""

    def __init__(self, regions: Mapping[str, str] | None = None) -> None:
        """Nothing is known yet.

        Args:
            regions: for each home the region that peers are reached through.
        """
        self._regions: Final = dict(regions or {})
        self._known: Final[dict[str, Mapping[str, Peer]]] = {}
        self._errors: Final[dict[str, PeersError]] = {}

    @property
    def homes(self) -> tuple[str, ...]:
        """The clouds whose gateways are asked; sorted."""
        return tuple(sorted(self._regions))

    def region(self, home: str) -> str:
        """The region that a home's peers are reached through."""
        return self._regions[home]

    def home(self, cloud: str) -> str | None:
        """The home of what is named like a peer; None for all other names."""
        return next((each for each in self._regions if cloud.startswith(prefix(each))), None)

    def learn(self, home: str, peers: Iterable[Peer]) -> None:
        """These are all that it has now."""
        self._known[home] = {each.name: each for each in peers}
        self._errors.pop(home, None)

    def lose(self, home: str, error: PeersError) -> bool:
        """It has not told: whether that is news. What it told before stays, unless it is no gateway any more."""
        before = self._errors.get(home)
        self._errors[home] = error
        if isinstance(error, NoGatewayError):
            self._known.pop(home, None)
        return str(before) != str(error)

    def places(self, wanted: str = "") -> Iterator[tuple[str, str]]:
        """Names and regions of all peers.

        Of a gateway that has told none yet, one that stands for whatever there is: `CloudOne:`, or the one that is wanted. It answers with the error.
        """
        for home, region in self._regions.items():
            known = self._known.get(home)
            if known is not None:
                yield from ((name, region) for name in known)
            else:
                yield (wanted if wanted.startswith(prefix(home)) else prefix(home)), region

    def find(self, cloud: str) -> Peer | PeersError | None:
        """The peer of a name; why it is not known; None if that is no name of a peer."""
        home = self.home(cloud)
        if home is None:
            return None
        known = self._known.get(home)
        if known is None:
            return self._errors.get(home) or PeersError(f"the gateway of {home} has not told its peers yet")
        return known.get(cloud) or PeersError(f"the gateway of {home} has no peer {cloud.removeprefix(prefix(home))}")
