"""The state of a resource at one time, stored once for all its watchers."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import orjson
from google.protobuf.message import Message

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.kinds import Kind, Raw

T = TypeVar("T")

# Names of the status attribute, in order of preference: octavia, ironic and others have names of their own.
_STATUSES: Final = ("status", "provisioning_status", "provision_state", "state")
# Names of the attribute with the error message: nova, heat, ironic, cinder's backups and others.
_FAULTS: Final = ("fault", "status_reason", "last_error", "fail_reason", "status_message", "faults")
_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The state of one resource at one time.

    Attributes:
        kind: the kind of the resource.
        identity: the caller's identity in the cloud-region (`Region.identity`).
        id: the resource's id in the cloud.
        name: its name; may be empty.
        status: the cloud's status text; may be empty.
        zone: its availability zone; may be empty.
        place: the cloud-region, and the caller's project.
        raw: the cloud's JSON in canonical form: a tenth of the size of its objects, and fast to compare.
    """

    kind: Kind
    identity: str
    id: str
    name: str
    status: str
    zone: str
    place: Location
    raw: bytes
    _memory: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """The key of the resource, unique over all cloud-regions."""
        return self.identity, self.id

    def message(self, codec: Codec) -> Message:
        """The protobuf message of the resource; the caller may modify it."""
        return codec.encode(orjson.loads(self.raw), self.place)

    def recall(self, what: Hashable, make: Callable[[], T]) -> T:
        """A value that is the same for all watchers; computed once."""
        if what not in self._memory:
            self._memory[what] = make()
        return cast("T", self._memory[what])

    def fault(self) -> str:
        """The cloud's error message for the resource; may be empty."""
        attributes = self.kind.attributes.read(orjson.loads(self.raw))
        for name in _FAULTS:
            match attributes.get(name):
                case str() as text if text:
                    return text
                case {"message": str() as text} if text:
                    return text
        return ""

    def __str__(self) -> str:
        """The resource and its location, for error messages."""
        place = "/".join(filter(None, (self.place.cloud, self.place.region)))
        return f"{self.kind.name} {self.id} in {place}"


def status_of(kind: Kind) -> str | None:
    """The name of a kind's status attribute; None if it has none."""
    return next((name for name in _STATUSES if name in kind.attributes.by_name), None)


def state(kind: Kind, identity: str, place: Location, resource: Mapping[str, Any], *, asked: str = "") -> State:
    """Make the state from a cloud's JSON.

    Args:
        kind: the kind of the resource.
        identity: see `State`.
        place: see `State`.
        resource: the JSON.
        asked: the id of the request, for resources whose JSON has no id.
    """
    raw = Raw(kind, dict(resource))
    named = status_of(kind)

    def text(name: str | None) -> str:
        value = raw.get(name) if name else None
        return value if isinstance(value, str) else ""

    return State(
        kind=kind,
        identity=identity,
        id=str(raw.id or asked or text("name")),
        name=text("name"),
        status=text(named),
        zone=text("availability_zone"),
        place=place,
        raw=orjson.dumps(resource, option=_CANONICAL),
    )
