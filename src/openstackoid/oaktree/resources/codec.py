"""Between the JSON of a cloud and the messages of callers.

openstacksdk's classes say what each attribute is called on the wire, and of what type it is. Making one of its `Resource` objects of a
server takes 2.4 ms and reading it 1.6 ms more (openstacksdk 4.22), so lists are read here instead, by the same rules and with the
same result: `Resource._consume_attrs`, `fields._BaseComponent.__get__` and `_convert_type`. A test compares them, field by field.

Nothing is lost: what a message has no field for, or what does not fit its field, is in `other`, by the cloud's own name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from google.protobuf import struct_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from openstack import fields, resource
from openstack import format as formats

from oaktree.v1.location_pb2 import Location

JSON = Any
_OURS: Final = ("location", "other")
_INTS: Final = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_INT32)
_MOST: Final = 2**63
_EXACT: Final = 2**53  # the largest whole number that a double holds, and its neighbours


class Unfit(TypeError):  # noqa: N818 - a value, not a fault
    """A value that does not fit the type of its field."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a resource class."""

    name: str
    wire: str
    convert: Callable[[JSON], JSON]
    alias: str | None
    parent: bool  # part of the resource's path
    body: bool


class Attributes:
    """What a resource class of openstacksdk calls its attributes, and of what types they are."""

    def __init__(self, cls: type[resource.Resource]) -> None:
        self.all: Final = tuple(_attributes(cls))
        self.by_name: Final = {each.name: each for each in self.all}
        # `id` may have another name on the wire (`Body(alternate_id=True)`): a keypair's is its name.
        self.id: Final = _alternate_id(cls) or "id"
        # An image's own properties stand beside its attributes; openstacksdk puts them together (_pack_attrs_under_properties).
        self._packs: Final = bool(cls._store_unknown_attrs_as_properties) and "properties" in self.by_name
        # What the cloud says leads to attributes, not the other way: it says a third of what a class knows.
        self._of: Final[dict[str, list[tuple[str, Callable[[JSON], JSON] | None, bool]]]] = {}
        for each in self.all:
            convert = None if each.convert is _same else each.convert
            self._of.setdefault(each.wire, []).append((each.name, convert, True))
            if each.name != each.wire:
                self._of.setdefault(each.name, []).append((each.name, convert, False))
        self._aliases: Final = tuple((each.name, each.alias) for each in self.all if each.alias)
        self._known: Final = {each.wire for each in self.all} | {each.name for each in self.all} | {"location"}

    def read(self, raw: Mapping[str, JSON]) -> dict[str, JSON]:
        """A cloud's JSON of one resource, or an attribute dictionary of openstacksdk's: attribute -> value; what is null is left out."""
        found: dict[str, JSON] = {}
        for key, value in raw.items():
            if value is None:
                continue
            for name, convert, is_wire in self._of.get(key, ()):
                if is_wire or name not in found:  # a name of the wire counts more than one of openstacksdk's
                    found[name] = value if convert is None else convert(value)
        for name, alias in self._aliases:
            if name not in found and alias in found:
                found[name] = found[alias]
        if "id" not in found and found.get(self.id) is not None:
            found["id"] = found[self.id]
        if self._packs and (unknown := self._unknown(raw)):
            given = found.get("properties", {})
            found["properties"] = (given if isinstance(given, dict) else {"properties": given}) | unknown
        return found

    def rest(self, raw: Mapping[str, JSON]) -> dict[str, JSON]:
        """What the cloud said and openstacksdk has no attribute for."""
        return {} if self._packs else self._unknown(raw)

    def _unknown(self, raw: Mapping[str, JSON]) -> dict[str, JSON]:
        return {name: value for name, value in raw.items() if name not in self._known and value is not None}


class Codec:
    """One kind's JSON to its message, and back."""

    def __init__(self, cls: type[resource.Resource], message: type[Message], kind: str) -> None:
        self.message: Final = message
        self.attributes: Final = Attributes(cls)
        self._kind: Final = kind
        descriptor = message.DESCRIPTOR
        self._typed: Final = "other" in descriptor.fields_by_name
        self._setters: Final = {
            field.name: (field, _setter(field)) for field in descriptor.fields if field.name not in _OURS
        }

    def encode(self, raw: Mapping[str, JSON], place: Location) -> Message:
        """The message of one resource.

        Args:
            raw: its JSON, as the cloud gave it, or as openstacksdk's `to_dict` does.
            place: the cloud-region, with the project that asked: what the resource itself does not say.
        """
        found = self.attributes.read(raw)
        other = self.attributes.rest(raw)
        message = self.message()
        self._place(message, found, place)
        if not self._typed:
            _fill_any(message, found, other, self._kind)
            return message
        for name, value in found.items():
            if (entry := self._setters.get(name)) is None:
                continue
            field, put = entry
            try:
                put(message, field.name, value)
            except (Unfit, TypeError, ValueError):
                message.ClearField(field.name)
                other[self.attributes.by_name[name].wire if name in self.attributes.by_name else name] = value
        if other:
            _fill(cast("Any", message).other, other)
        return message

    def decode(self, message: Message) -> dict[str, JSON]:
        """What a caller set in a message: attribute -> value, for openstacksdk's constructors."""
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
    def _place(message: Message, found: Mapping[str, JSON], place: Location) -> None:
        location: Location = cast("Any", message).location
        location.CopyFrom(place)
        project = found.get("project_id")
        if isinstance(project, str) and project and project != place.project_id:
            location.project_id = project
            location.project = location.domain_id = location.domain = ""
        zone = found.get("availability_zone")
        if isinstance(zone, str) and zone:
            location.zone = zone


def document(message: Message) -> dict[str, JSON]:
    """A message as JSON for queries and for people: the fields that are set, by their names, numbers as numbers."""
    return {field.name: to_python(value) for field, value in message.ListFields()}


def to_python(value: Any) -> JSON:
    """A field's value as JSON; whole numbers of a Struct are ints again."""
    match value:
        case struct_pb2.Struct():
            return {name: to_python(each) for name, each in value.fields.items()}
        case struct_pb2.ListValue():
            return [to_python(each) for each in value.values]
        case struct_pb2.Value():
            return _of_value(value)
        case Message():
            return document(value)
        case str() | bytes() | bool() | int() | float() | None:
            return value
        case Mapping():
            return {name: to_python(each) for name, each in value.items()}
        case Sequence() as items:
            return [to_python(each) for each in items]
        case _:
            return [to_python(each) for each in value]


def _of_value(value: struct_pb2.Value) -> JSON:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return to_python(value.struct_value)
        case "list_value":
            return to_python(value.list_value)
        case _:
            return None


def _fill_any(message: Message, found: dict[str, JSON], other: dict[str, JSON], kind: str) -> None:
    generic = cast("Any", message)
    generic.kind = kind
    for name in ("id", "name"):
        if isinstance(value := found.get(name), str | int):
            setattr(generic, name, str(value))
    _fill(generic.attributes, other | found)


def _attributes(cls: type[resource.Resource]) -> Iterator[Attribute]:
    seen = set()
    for klass in cls.__mro__:
        for name, component in vars(klass).items():
            if not isinstance(component, fields.Body | fields.Header | fields.URI) or name in seen:
                continue
            seen.add(name)
            yield Attribute(
                name=name,
                wire=component.name,
                convert=_converter(component.data_type, component.list_type),
                alias=component.alias,
                parent=isinstance(component, fields.URI),
                body=isinstance(component, fields.Body),
            )


def _alternate_id(cls: type[resource.Resource]) -> str | None:
    for klass in cls.__mro__:
        for name, component in vars(klass).items():
            if isinstance(component, fields.Body) and component.alternate_id:
                return name
    return None


def _converter(kind: Any, items: Any) -> Callable[[JSON], JSON]:
    """What `openstack.fields._convert_type` does for a type: openstacksdk 4.22."""
    if kind is None or not isinstance(kind, type):
        return _same
    if issubclass(kind, list):
        convert = _converter(items, None)

        def many(value: JSON) -> JSON:
            return [convert(each) for each in (value if isinstance(value, list | set | tuple) else [value])]

        return many
    if issubclass(kind, resource.Resource):
        return _nested(kind)
    if issubclass(kind, dict):
        return lambda value: value if isinstance(value, dict) else {}
    if issubclass(kind, formats.Formatter):
        return _lenient(kind)
    if issubclass(kind, bool):
        return bool
    if issubclass(kind, int | float):
        return _number(kind)
    return lambda value: value if isinstance(value, kind) else str(value)


def _same(value: JSON) -> JSON:
    return value


def _nested(cls: type[resource.Resource]) -> Callable[[JSON], JSON]:
    attributes = Attributes(cls)

    def read(value: JSON) -> JSON:
        return attributes.rest(value) | attributes.read(value) if isinstance(value, Mapping) else {}

    return read


def _lenient(kind: Any) -> Callable[[JSON], JSON]:
    def convert(value: JSON) -> JSON:
        try:
            return kind.deserialize(value)
        except (TypeError, ValueError, AttributeError):
            return value  # openstacksdk gives the whole list up; one strange value harms itself only

    return convert


def _number(kind: type[int] | type[float]) -> Callable[[JSON], JSON]:
    def convert(value: JSON) -> JSON:
        if isinstance(value, kind):
            return value
        try:
            return kind(value)
        except (TypeError, ValueError, OverflowError):
            return kind()

    return convert


def _setter(field: Any) -> Callable[[Any, str, JSON], None]:
    """How a value gets into a field; raises Unfit if it cannot."""
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
            raise Unfit
        if not isinstance(value, kind) or (whole and not -_MOST <= value < _MOST):
            raise Unfit
        setattr(message, name, value)

    return put


def _repeated(kind: Any) -> Callable[[Any, str, JSON], None]:
    def put(message: Any, name: str, value: JSON) -> None:
        if not isinstance(value, list) or not all(isinstance(each, kind) for each in value):
            raise Unfit
        target = getattr(message, name)
        if kind is dict:
            for each in value:
                _fill(target.add(), each)
        else:
            target.extend(value)

    return put


def _message(kind: Any, name_of_type: str) -> Callable[[Any, str, JSON], None]:
    def put(message: Any, name: str, value: JSON) -> None:
        if not isinstance(value, kind):
            raise Unfit
        target = getattr(message, name)
        if name_of_type == "Struct":
            _fill(target, value)
        elif name_of_type == "ListValue":
            _extend(target, value)
        else:
            _put(target, value)

    return put


def _fill(struct: Any, value: Mapping[str, JSON]) -> None:
    """Put values into an empty Struct: half of what `Struct.update` costs, with its checks for values of our own making."""
    struct.SetInParent()  # it is there, also if nothing is in it
    fields = struct.fields
    for name, each in value.items():
        _put(fields[str(name)], each)


def _extend(items: Any, value: Iterable[JSON]) -> None:
    items.SetInParent()
    add = items.values.add
    for each in value:
        _put(add(), each)


def _put(target: Any, value: JSON) -> None:
    """One value. A Struct holds no other classes than JSON has, and no numbers that a double cannot hold without loss: they become text."""
    kind = type(value)
    if kind is str:
        target.string_value = value
    elif value is None:
        target.null_value = 0
    elif kind is bool:
        target.bool_value = value
    elif kind is float or (kind is int and -_EXACT <= value <= _EXACT):
        target.number_value = value
    elif kind is dict or isinstance(value, Mapping):
        _fill(target.struct_value, value)
    elif isinstance(value, list | tuple | set):
        _extend(target.list_value, value)
    else:
        target.string_value = str(value)
