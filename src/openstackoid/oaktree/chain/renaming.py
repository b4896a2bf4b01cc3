"""Renames the clouds in answers of another oaktree: adds a prefix to every location, operation and error. Pure."""

import functools
from typing import Any, Final, TypeVar

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from oaktree.v1.common_pb2 import Progress
from oaktree.v1.location_pb2 import Location
from oaktree.v1.operation_pb2 import Operation
from openstackoid.oaktree import errors
from openstackoid.oaktree.locations import flaw
from openstackoid.oaktree.masking import clean

M = TypeVar("M", bound=Message)


def prefixed(site: str, message: M) -> M:
    """Add the prefix to the names in a message of another oaktree; modifies the message.

    Raises:
        errors.AnswerError: the message contains an invalid location.
    """
    _rename(site, message)
    return message


def _rename(site: str, message: Any) -> None:
    if isinstance(message, Location):
        message.cloud = f"{site}/{message.cloud}" if message.cloud else site
        if flaw(message):
            raise errors.AnswerError(f"the oaktree {site} answered with a location that cannot be one, or is too deep")
        return
    if isinstance(message, status_pb2.Status):
        message.CopyFrom(renamed_status(site, message))
        return
    if isinstance(message, Progress) and message.operation_id:
        message.operation_id = f"{site}/{message.operation_id}"
    if isinstance(message, Operation) and message.id:
        message.id = f"{site}/{message.id}"
    for name, repeated in _ways(message.DESCRIPTOR):
        if repeated:
            for value in getattr(message, name):
                _rename(site, value)
        elif message.HasField(name):
            _rename(site, getattr(message, name))


_ENDS: Final = frozenset({Location.DESCRIPTOR.full_name, status_pb2.Status.DESCRIPTOR.full_name})


@functools.cache
def _ways(descriptor: Descriptor) -> tuple[tuple[str, bool], ...]:
    """The fields of a message that contain names to change, at any depth, each with whether it is repeated."""
    return tuple(
        (field.name, field.is_repeated)
        for field in descriptor.fields
        if field.message_type is not None
        and not field.message_type.GetOptions().map_entry
        and _leads(field.message_type, frozenset())
    )


def _leads(descriptor: Descriptor, above: frozenset[str]) -> bool:
    if descriptor.full_name in _ENDS:
        return True
    if descriptor.full_name in above:
        return False
    above |= {descriptor.full_name}
    return any(field.message_type is not None and _leads(field.message_type, above) for field in descriptor.fields)


_KEPT: Final[tuple[type[Message], ...]] = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.RetryInfo,
    error_details_pb2.BadRequest,
)


def renamed_status(site: str, status: status_pb2.Status) -> status_pb2.Status:
    """An error of another oaktree with the names of this one; details of unknown types, and what is none of its type, are left out."""
    renamed = status_pb2.Status(code=status.code, message=clean(status.message))
    for detail in status.details:
        for detail_type in _KEPT:
            message = detail_type()
            try:
                fits = detail.Unpack(message)
            except DecodeError:
                break
            if fits:
                if isinstance(message, error_details_pb2.ErrorInfo):
                    cloud = message.metadata.get("cloud", "")
                    message.metadata["cloud"] = f"{site}/{cloud}"[:255] if cloud else site
                packed = Packed()
                packed.Pack(message)
                renamed.details.append(packed)
                break
    return renamed
