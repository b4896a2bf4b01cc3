"""The plan of a create request: attributes, cloud-regions, and options. Pure, except for the cloud-regions of authenticated callers."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from google.protobuf.message import Message

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Caller
from openstackoid.oaktree.creates import setups
from openstackoid.oaktree.creates.setups import Setup
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.resources.methods import parents_of
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.regions import Region

LONGEST: Final = 24 * 3600.0  # the maximum wait for a create, in seconds
_USUAL: Final = 3600.0
LONGEST_KEY: Final = 255  # characters
_KEY: Final = re.compile(rf"[\x21-\x7e]{{0,{LONGEST_KEY}}}")
# Attributes that only the cloud sets: left out, so that a resource that was read from one cloud can be created in another.
_READ_ONLY: Final = frozenset({"id", "location", "created_at", "updated_at", "status", "links"})
# Attributes that contain or may contain secrets: they are sent to the cloud, but neither recorded nor returned.
SECRET: Final = re.compile(
    r"pass|secret|token|credential|private_key|user_data|personality|payload|key_data", re.IGNORECASE
)


class Content(Protocol):
    """Data to upload into the created resource: an image's."""

    @property
    def digest(self) -> str:
        """A digest of the data."""

    def defaults(self, region: Region) -> Mapping[str, Any]:
        """Attributes that the resource gets in this cloud-region unless the request has them."""

    def attributes(self, region: Region) -> Mapping[str, Any]:
        """Attributes that the resource needs in this cloud-region, in addition to the requested ones."""

    async def send(
        self, region: Region, resource_id: str, call: Call, report: Callable[[int], Awaitable[None]]
    ) -> None:
        """Send the data to the cloud-region; calls `report` with the percentage."""

    def by_task(self, region: Region) -> bool:
        """Whether the cloud-region takes the data first, and creates the resource from it: by `stage` and `create`, without `send`."""

    async def stage(self, region: Region, mark: str, call: Call) -> None:
        """Send the data to where the cloud-region imports it from; creates no resource."""

    async def create(
        self, region: Region, attributes: Mapping[str, Any], mark: str, call: Call, until: float
    ) -> tuple[str, Mapping[str, Any]]:
        """Create the resource from the data. Returns its id and JSON. Raises as `posting.post` does."""


@dataclass(frozen=True)
class Plan:
    """A validated create request."""

    kind: Kind
    codec: Codec
    caller: Caller
    attributes: Mapping[str, Any]
    parents: Mapping[str, str]
    locations: Sequence[Location]  # one for each part: cloud and region, with the requested zone and project
    respond: Callable[..., Message]  # progress=, resource=, summary=
    key: str | None = None
    undo: bool = False
    wait: bool = False
    detach: bool = False  # go on when the caller has gone
    timeout: float = _USUAL  # seconds, for the whole create
    content: Content | None = None
    setup: Setup | None = None

    @property
    def digest(self) -> str:
        """A digest of the request, without secrets, so that they cannot be found by brute force."""
        asked = {
            "kind": self.kind.name,
            "attributes": _open(self.attributes),
            "parents": dict(self.parents),
            "locations": [location.SerializeToString(deterministic=True).hex() for location in self.asked],
            "undo": self.undo,
            "content": self.content.digest if self.content else None,
        }
        if self.setup:
            asked["setup"] = self.setup.document()
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()

    asked: Sequence[Location] = field(default=())  # as in the request

    def within(self, region: Region, zone: str) -> dict[str, Any]:
        """The attributes of one part."""
        attributes = dict(self.attributes)
        if self.content:
            attributes = {**self.content.defaults(region), **attributes, **self.content.attributes(region)}
        if zone:
            name = zone_attribute(self.kind)
            attributes |= {name: [zone] if name == "availability_zone_hints" else zone} if name else {}
        return attributes


def planned(
    kind: Kind,
    codec: Codec,
    caller: Caller,
    request: Any,
    field_name: str,
    response: Callable[..., Message],
    content: Content | None = None,
) -> Plan:
    """Make the plan of a request.

    Args:
        kind: the kind of the resource.
        codec: converts between its attributes and the request's message.
        caller: the authenticated caller.
        request: with `locations`, `options`, and the resource.
        field_name: the field of the resource in requests and responses.
        response: the class of responses.
        content: data to upload into the resource.

    Raises:
        errors.InvalidError: the request is invalid; names the field.
    """
    given, parents, setup = _attributes(kind, codec, request, field_name)
    options = request.options
    timeout = options.timeout.ToTimedelta().total_seconds() if options.HasField("timeout") else _USUAL
    if not 0 < timeout <= LONGEST:
        raise errors.invalid(
            "options.timeout", f"expected more than 0 s and at most {LONGEST:.0f} s, got {timeout:g} s"
        )

    def respond(**parts: Any) -> Message:
        return response(**{field_name if name == "resource" else name: value for name, value in parts.items()})

    if setup and setup.auto_ip and not options.wait:
        raise errors.invalid(
            "options.wait", "expected true with auto_ip: the server must be ready before it gets a floating IP"
        )
    zone = getattr(request, field_name).location.zone
    return Plan(
        kind=kind,
        codec=codec,
        caller=caller,
        attributes=given,
        parents=parents,
        locations=_places(kind, caller, request.locations, zone),
        respond=respond,
        key=checked_key(options.idempotency_key) or None,
        undo=options.undo_on_failure,
        wait=options.wait,
        detach=options.detach,
        timeout=timeout,
        content=content,
        setup=setup,
        asked=list(request.locations),
    )


def checked_key(key: str) -> str:
    """Validate an idempotency key; it may be empty, for none.

    Raises:
        errors.InvalidError: the key is invalid.
    """
    if not _KEY.fullmatch(key):
        raise errors.invalid(
            "options.idempotency_key", f"expected 1 to {LONGEST_KEY} visible ASCII characters, a UUID for example"
        )
    return key


def zone_attribute(kind: Kind) -> str | None:
    """The kind's attribute for the availability zone to create it in."""
    return next(
        (name for name in ("availability_zone", "availability_zone_hints") if name in kind.attributes.by_name), None
    )


def region_of(caller: Caller, location: Location) -> Region | None:
    """The cloud-region of a part; None if the caller no longer has access to it."""
    regions = caller.regions([location])
    return next((region for region in regions if region.key == (location.cloud, location.region)), None)


def _attributes(
    kind: Kind, codec: Codec, request: Any, field_name: str
) -> tuple[dict[str, Any], dict[str, str], Setup | None]:
    resource = getattr(request, field_name)
    generic = "attributes" in resource.DESCRIPTOR.fields_by_name and "kind" in resource.DESCRIPTOR.fields_by_name
    typed = request.setup if "setup" in request.DESCRIPTOR.fields_by_name and request.HasField("setup") else None
    place = f"{field_name}.attributes" if generic else field_name
    setup, given = setups.parse(kind, codec.decode(resource), typed, place)
    wires = {attribute.wire for attribute in kind.attributes.all}
    for name in given:
        if name not in kind.attributes.by_name and name not in wires and not kind.attributes.open_ended:
            where = f"{field_name}.{'attributes' if generic else 'other'}.{name}"
            raise errors.invalid(where, f"{kind.name} has no such attribute")
    chooses_id = kind.cls.create_opts.method == "PUT"
    kept = {name: value for name, value in given.items() if name not in _READ_ONLY or (name == "id" and chooses_id)}
    for name in ("min_count", "max_count"):
        if kind.name == "compute.server" and kept.get(name, 1) != 1:
            raise errors.invalid(f"{field_name}.{name}", "expected 1: each create makes one server in each location")
    return kept, parents_of(kind, request, kept), setup


def _places(kind: Kind, caller: Caller, locations: Sequence[Location], zone: str) -> list[Location]:
    """One location for each part, in the caller's order, without duplicates."""
    places: dict[tuple[str, str], Location] = {}
    for index, wanted in enumerate(locations or [Location()]):
        named = wanted.zone or zone
        if named and zone_attribute(kind) is None:
            where = f"locations[{index}].zone" if wanted.zone else "location.zone"
            raise errors.invalid(where, f"{kind.name} is in no zone: leave it empty")
        for region in caller.regions([wanted]):
            place = Location(
                cloud=region.location.cloud,
                region=region.location.region,
                zone=named,
                project_id=wanted.project_id,
                project=wanted.project,
                domain_id=wanted.domain_id,
                domain=wanted.domain,
            )
            places.setdefault((region.identity, named), place)
    return list(places.values())


def _open(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _open(item) for name, item in value.items() if not SECRET.search(str(name))}
    if isinstance(value, list):
        return [_open(item) for item in value]
    return value
