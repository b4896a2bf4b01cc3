"""A validated request for resources: its caller, kind, cloud-regions, and parts at other oaktrees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Caller, RemotePart
from openstackoid.oaktree.locations import flaw
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.kinds import Kind, Kinds
from openstackoid.oaktree.resources.methods import Method, kind_of, locations_of
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.regions import Region


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method: the RPC.
        message: the request message.
        caller: the authenticated caller.
        call: the deadline and the cancellation of the RPC.
        kind: the kind of the resources.
        codec: converts between the kind's JSON and the RPC's messages.
        regions: the cloud-regions, with the caller's credentials.
        remote_parts: its parts at other oaktrees.
    """

    method: Method
    message: Any
    caller: Caller
    call: Call
    kind: Kind
    codec: Codec
    regions: Sequence[Region]
    remote_parts: Sequence[RemotePart] = ()


def checked(method: Method, message: Any, caller: Caller, call: Call, kinds: Kinds) -> Request:
    """Validate a request message.

    Raises:
        errors.InvalidError: the kind is unknown, or a location is malformed or unknown; names the field.
        errors.UnsupportedError: the kind has no such verb.
        errors.ForbiddenError: the caller's policy does not allow it.
    """
    kind = kind_of(method, message, kinds)
    caller.check(method.verb.name, kind.name)
    locations = locations_of(message)
    many = "locations" in message.DESCRIPTOR.fields_by_name
    fields = [f"locations[{index}]" if many else "location" for index in range(len(locations))]
    for field, location in zip(fields, locations, strict=True):
        if wrong := flaw(location):
            raise errors.invalid(f"{field}.{wrong.partition(':')[0]}", wrong.partition(": ")[2])
    regions, remote_parts = caller.regions(locations), caller.remote_parts(locations)
    for field, location in zip(fields, locations, strict=True):
        if not caller.regions([location]) and not caller.remote_parts([location]):
            known = ", ".join(sorted({region.location.cloud for region in caller.regions()})) or "none"
            raise errors.invalid(
                f"{field}.{'cloud' if location.cloud else 'region'}",
                f"no cloud-region of yours matches {'/'.join(filter(None, (location.cloud, location.region)))!r}; your clouds: {known}",
            )
    return Request(
        method=method,
        message=message,
        caller=caller,
        call=call,
        kind=kind,
        codec=kind.codec(method.resource),
        regions=regions,
        remote_parts=remote_parts,
    )
