"""Converts between the JSON of a cloud and the messages of callers.

No value is lost: values without a field in the message, or of another type than the field, are in `other`, by the cloud's own names.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from openstack import resource

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.resources.attributes import Attributes
from openstackoid.oaktree.resources.structs import extend, fill, put_object, put_value, to_python

JSON = Any
_OURS: Final = ("location", "other")
_INTS: Final = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_INT32)
_SIMPLE: Final = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BOOL: bool,
    FieldDescriptor.TYPE_DOUBLE: float,
    FieldDescriptor.TYPE_INT64: int,
    FieldDescriptor.TYPE_INT32: int,
}
_MOST: Final = 2**63


class DoesNotFitError(TypeError):
    """A value does not fit the type of its field."""


class Codec:
    """Converts one kind's JSON to its message, and back."""

    def __init__(self, cls: type[resource.Resource], message: type[Message], kind: str) -> None:
        self.message: Final = message
        self.attributes: Final = Attributes(cls)
        self._kind: Final = kind
        descriptor = message.DESCRIPTOR
        self._typed: Final = "other" in descriptor.fields_by_name
        self._setters: Final = {
            field.name: (field, _setter(field)) for field in descriptor.fields if field.name not in _OURS
        }
        self._simple: Final = {
            field.name: _SIMPLE[field.type]
            for field in descriptor.fields
            if field.type in _SIMPLE and not field.is_repeated and field.name not in _OURS
        }

    def encode(self, raw: Mapping[str, JSON], place: Location) -> Message:
        """Make the message of one resource.

        Args:
            raw: its JSON, from the cloud or from openstacksdk's `to_dict`.
            place: the cloud-region, with the caller's project: used if the resource itself does not contain them.
        """
        values = self.attributes.read(raw)
        other = self.attributes.rest(raw)
        if not self._typed:
            message = self.message()
            self._place(message, values, place)
            _fill_any(message, values, other, self._kind)
            return message
        message, left = self._begun(values)
        self._place(message, values, place)
        for name, value in left.items():
            if (entry := self._setters.get(name)) is None:
                continue
            field, put = entry
            try:
                put(message, field.name, value)
            except (DoesNotFitError, TypeError, ValueError):
                message.ClearField(field.name)
                other[self.attributes.by_name[name].wire if name in self.attributes.by_name else name] = value
        if other:
            fill(cast("Any", message).other, other)
        return message

    def _begun(self, values: dict[str, JSON]) -> tuple[Message, dict[str, JSON]]:
        """Make a message from the values that need no conversion, which are most. Returns it, and the other values."""
        simple: dict[str, JSON] = {}
        left: dict[str, JSON] = {}
        for name, value in values.items():
            (simple if type(value) is self._simple.get(name) else left)[name] = value
        try:
            return self.message(**simple), left
        except (TypeError, ValueError):  # a number that is too large, or a string that is not valid Unicode
            return self.message(), values

    def decode(self, message: Message) -> dict[str, JSON]:
        """The fields that a caller set in a message: attribute -> value, for openstacksdk's constructors."""
        if not self._typed:
            generic = cast("Any", message)
            given = to_python(generic.attributes) if generic.HasField("attributes") else {}
            return given | ({"name": generic.name} if generic.name else {})
        given = {}
        for field, value in message.ListFields():
            if field.name == "other":
                given |= to_python(value)
            elif field.name not in _OURS:
                given[field.name] = to_python(value)
        return given

    @staticmethod
    def _place(message: Message, values: Mapping[str, JSON], place: Location) -> None:
        location: Location = cast("Any", message).location
        location.CopyFrom(place)
        project = values.get("project_id")
        if isinstance(project, str) and project and project != place.project_id:
            location.project_id = project
            location.project = location.domain_id = location.domain = ""
        zone = values.get("availability_zone")
        if isinstance(zone, str) and zone:
            location.zone = zone


def _fill_any(message: Message, values: dict[str, JSON], other: dict[str, JSON], kind: str) -> None:
    generic = cast("Any", message)
    generic.kind = kind
    for name in ("id", "name"):
        if isinstance(value := values.get(name), str | int):
            setattr(generic, name, str(value))
    fill(generic.attributes, other | values)


def _setter(field: Any) -> Callable[[Any, str, JSON], None]:
    """A function that sets a field to a value; it raises DoesNotFitError if the value does not fit."""
    if field.message_type is not None:
        wanted: type | tuple[type, ...] = {"ListValue": list, "Struct": dict}.get(field.message_type.name, object)
        if field.is_repeated:
            return _repeated(dict)
        return _message(wanted, field.message_type.name)
    one = {
        FieldDescriptor.TYPE_STRING: str,
        FieldDescriptor.TYPE_BOOL: bool,
        FieldDescriptor.TYPE_DOUBLE: (int, float),
        FieldDescriptor.TYPE_BYTES: bytes,
    }.get(field.type, int)
    if field.is_repeated:
        return _repeated(one)
    return _scalar(one, whole=field.type in _INTS)


def _scalar(kind: Any, *, whole: bool) -> Callable[[Any, str, JSON], None]:
    def put(message: Any, name: str, value: JSON) -> None:
        if whole and isinstance(value, bool):
            raise DoesNotFitError
        if not isinstance(value, kind) or (whole and not -_MOST <= value < _MOST):
            raise DoesNotFitError
        setattr(message, name, value)

    return put


def _repeated(kind: Any) -> Callable[[Any, str, JSON], None]:
    def put(message: Any, name: str, value: JSON) -> None:
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise DoesNotFitError
        target = getattr(message, name)
        if kind is dict:
            for item in value:
                put_object(target.add(), item)
        else:
            target.extend(value)

    return put


def _message(kind: Any, name_of_type: str) -> Callable[[Any, str, JSON], None]:
    def put(message: Any, name: str, value: JSON) -> None:
        if not isinstance(value, kind):
            raise DoesNotFitError
        target = getattr(message, name)
        if name_of_type == "Struct":
            put_object(target, value)
        elif name_of_type == "ListValue":
            extend(target, value)
        else:
            put_value(target, value)

    return put
