"""What a resource was when it was seen: kept once for all who watch it."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import orjson
from google.protobuf.message import Message

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.kinds import Kind, Raw

T = TypeVar("T")

# What services call the state of a resource, the first that a class has: octavia, ironic and others have names of their own.
_STATUSES: Final = ("status", "provisioning_status", "provision_state", "state")
# Where they say what went wrong: nova, heat, ironic, cinder's backups and others.
_FAULTS: Final = ("fault", "status_reason", "last_error", "fail_reason", "status_message", "faults")
_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """One resource at one time.

    Attributes:
        kind: of what kind it is.
        identity: of the cloud-region, as one caller sees it (`Region.identity`).
        id: its id there.
        name: its name; may be empty.
        status: as its cloud says it; may be empty.
        zone: its availability zone; may be empty.
        place: the cloud-region, and the project that asked.
        raw: the cloud's JSON, in canonical form: a tenth of the size of its objects, and compared at once.
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
        """What it is, over all cloud-regions."""
        return self.identity, self.id

    def message(self, codec: Codec) -> Message:
        """Its message. It may be changed."""
        return codec.encode(orjson.loads(self.raw), self.place)

    def recall(self, what: Hashable, make: Callable[[], T]) -> T:
        """What is the same for all who watch: made once."""
        if what not in self._memory:
            self._memory[what] = make()
        return cast("T", self._memory[what])

    def fault(self) -> str:
        """What its cloud says went wrong; may be empty."""
        attributes = self.kind.attributes.read(orjson.loads(self.raw))
        for name in _FAULTS:
            match attributes.get(name):
                case str() as text if text:
                    return text
                case {"message": str() as text} if text:
                    return text
        return ""

    def __str__(self) -> str:
        """For errors: what it is, and where."""
        place = "/".join(filter(None, (self.place.cloud, self.place.region)))
        return f"{self.kind.name} {self.id} in {place}"


def status_of(kind: Kind) -> str | None:
    """The attribute that a kind's status is in; None if it has none."""
    return next((name for name in _STATUSES if name in kind.attributes.by_name), None)


def state(kind: Kind, identity: str, place: Location, found: Mapping[str, Any], *, asked: str = "") -> State:
    """The state that a cloud's JSON tells.

    Args:
        kind: of what kind the resource is.
        identity: see `State`.
        place: see `State`.
        found: the JSON.
        asked: its id, for resources that do not tell one.
    """
    raw = Raw(kind, dict(found))
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
        raw=orjson.dumps(found, option=_CANONICAL),
    )
