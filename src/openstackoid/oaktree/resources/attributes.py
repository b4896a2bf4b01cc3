"""Names and types of the attributes of openstacksdk's resource classes, for reading a cloud's JSON by the same rules. Pure.

Making a `Resource` object of a server takes 2.4 ms, and reading it 1.6 ms more (openstacksdk 4.22), so lists are read here
instead, by the same rules and with the same result: `Resource._consume_attrs`, `fields._BaseComponent.__get__` and `_convert_type`. A test compares
them, field by field. Reading by openstacksdk's fields without a `Resource` is no way either: a hundred times as slow as this, for aliases and warnings.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from openstack import fields, resource
from openstack import format as formats

JSON = Any


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
    """Names and types of the attributes of a resource class of openstacksdk."""

    def __init__(self, cls: type[resource.Resource]) -> None:
        self.all: Final = tuple(_attributes(cls))
        self.by_name: Final = {attribute.name: attribute for attribute in self.all}
        # `id` may have another name on the wire (`Body(alternate_id=True)`): a keypair's is its name.
        self.id: Final = _alternate_id(cls) or "id"
        # In an image's JSON, custom properties are beside its attributes; openstacksdk moves them into `properties` (_pack_attrs_under_properties).
        self._packs: Final = bool(cls._store_unknown_attrs_as_properties) and "properties" in self.by_name
        # Whether a request may have values without an attribute.
        self.open_ended: Final = bool(cls._store_unknown_attrs_as_properties or cls._allow_unknown_attrs_in_body)
        # A mapping from JSON names to attributes: an answer contains only a third of the attributes of a class.
        self._of: Final[dict[str, list[tuple[str, Callable[[JSON], JSON] | None, bool]]]] = {}
        for attribute in self.all:
            convert = None if attribute.convert is _same else attribute.convert
            self._of.setdefault(attribute.wire, []).append((attribute.name, convert, True))
            if attribute.name != attribute.wire:
                self._of.setdefault(attribute.name, []).append((attribute.name, convert, False))
        self._aliases: Final = tuple((attribute.name, attribute.alias) for attribute in self.all if attribute.alias)
        self._known: Final = (
            {attribute.wire for attribute in self.all} | {attribute.name for attribute in self.all} | {"location"}
        )

    def read(self, raw: Mapping[str, JSON]) -> dict[str, JSON]:
        """Read a cloud's JSON of one resource, or an attribute dictionary of openstacksdk. Returns attribute -> value, without nulls."""
        values: dict[str, JSON] = {}
        for key, value in raw.items():
            if value is None:
                continue
            for name, convert, is_wire in self._of.get(key, ()):
                if is_wire or name not in values:  # a JSON name has priority over openstacksdk's name
                    values[name] = value if convert is None else convert(value)
        for name, alias in self._aliases:
            if name not in values and alias in values:
                values[name] = values[alias]
        if "id" not in values and values.get(self.id) is not None:
            values["id"] = values[self.id]
        if self._packs and (unknown := self._unknown(raw)):
            given = values.get("properties", {})
            values["properties"] = (given if isinstance(given, dict) else {"properties": given}) | unknown
        return values

    def rest(self, raw: Mapping[str, JSON]) -> dict[str, JSON]:
        """The values of the JSON that openstacksdk has no attribute for."""
        return {} if self._packs else self._unknown(raw)

    def _unknown(self, raw: Mapping[str, JSON]) -> dict[str, JSON]:
        return {name: value for name, value in raw.items() if name not in self._known and value is not None}


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
    """The conversion that `openstack.fields._convert_type` does for a type (openstacksdk 4.22)."""
    if kind is None or not isinstance(kind, type):
        return _same
    if issubclass(kind, list):
        convert = _converter(items, None)

        def many(value: JSON) -> JSON:
            return [convert(item) for item in (value if isinstance(value, list | set | tuple) else [value])]

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
            return value  # openstacksdk would drop the whole list; here only the one value stays unconverted

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
