"""The RPCs of all services, read from their descriptors: the verb, the kind, and the fields of each. Pure."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import oaktree.v1
from oaktree.v1 import annotations_pb2
from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree import errors
from openstackoid.oaktree.names import segment
from openstackoid.oaktree.resources.kinds import Kind, Kinds
from openstackoid.oaktree.verbs import Verb, parsed

_ANY: Final = Resource.DESCRIPTOR.full_name


@dataclass(frozen=True)
class Method:
    """One RPC for resources."""

    service: str
    name: str
    verb: Verb
    request: type[Message]
    response: type[Message]
    resource: type[Message]
    field: str  # the response's field with the resource or the resources
    kind: str | None  # None: the request names it


def files() -> Iterator[FileDescriptor]:
    """All files of protobuf definitions."""
    for module in pkgutil.iter_modules(oaktree.v1.__path__):
        if module.name.endswith("_pb2"):
            yield importlib.import_module(f"oaktree.v1.{module.name}").DESCRIPTOR


@functools.cache
def methods() -> tuple[Method, ...]:
    """All RPCs of the verbs, typed and generic. Read once: it takes 17 ms, and a server's start needs it four times."""
    return tuple(
        method_
        for file in files()
        for service in file.services_by_name.values()
        for method in service.methods
        if (method_ := _method(service.full_name, method)) is not None
    )


def _method(service: str, method: Any) -> Method | None:
    named = parsed(method.name)
    if named is None:
        return None
    verb, noun = named
    # A delete's response has only the id: its kind is that of the service's other RPCs with this name.
    for descriptor in (
        method.output_type,
        method.input_type,
        *(sibling.output_type for sibling in _siblings(method, noun)),
    ):
        for field in descriptor.fields:
            resource = field.message_type
            if resource is not None and (resource.full_name == _ANY or _kind(resource)):
                return Method(
                    service=service,
                    name=method.name,
                    verb=verb,
                    request=GetMessageClass(method.input_type),
                    response=GetMessageClass(method.output_type),
                    resource=GetMessageClass(resource),
                    field=field.name,
                    kind=_kind(resource),
                )
    return None


def _siblings(method: Any, noun: str) -> Iterator[Any]:
    for sibling in method.containing_service.methods:
        named = parsed(sibling.name)
        if named is not None and named[1] in (noun, f"{noun}s"):
            yield sibling


def _kind(descriptor: Descriptor) -> str | None:
    options = descriptor.GetOptions()
    if not options.HasExtension(annotations_pb2.resource):
        return None
    return str(options.Extensions[annotations_pb2.resource].kind)


def kind_of(method: Method, request: Any, kinds: Kinds) -> Kind:
    """The kind of a request.

    Raises:
        errors.InvalidError: there is no such kind.
        errors.UnsupportedError: the kind does not support the verb.
    """
    if method.kind is None:
        names = request.DESCRIPTOR.fields_by_name
        field, name = ("kind", request.kind) if "kind" in names else ("resource.kind", request.resource.kind)
    else:
        field, name = "kind", method.kind
    kind = kinds.get(name)
    if kind is None:
        raise errors.invalid(field, f"expected a kind as ResourceService.ListKinds names it, got {name[:80]!r}")
    if not method.verb.serves(name, kind.verbs):
        has = ", ".join(sorted(kind.verbs)) or "nothing"
        raise errors.UnsupportedError(f"{name} cannot be {method.verb.past}; what it has: {has}.")
    return kind


def parents_of(kind: Kind, request: Any, resource: Any = None) -> dict[str, str]:
    """The parameters of the kind's path, from the request's own fields, its `parents`, or the resource in it.

    Raises:
        errors.InvalidError: a parameter is missing, unknown, or not a single path segment.
    """
    names = request.DESCRIPTOR.fields_by_name
    if "parents" in names:
        given = dict(request.parents)
        for name in given:
            if name not in kind.parents:
                expected = ", ".join(sorted(kind.parents)) or "none"
                raise errors.invalid(f"parents.{name}", f"{kind.name} has no such parent; expected: {expected}")
    else:
        given = {name: getattr(request, name) for name in kind.parents if name in names and getattr(request, name)}
    if resource is not None:
        given = {name: str(resource[name]) for name in kind.parents if resource.get(name)} | given
    inside = "parents." if "parents" in names else ""
    for name in sorted(kind.parents - set(given)):
        if not (kind.of_project and bool(getattr(request, "id", ""))):  # otherwise the id is the project's
            raise errors.invalid(f"{inside}{name}", f"{kind.name} needs it in its path")
    return {name: segment(f"{inside}{name}", value) for name, value in given.items()}


def locations_of(request: Any) -> list[Location]:
    """The locations of a request: its `locations`, or its one `location`; empty for everywhere."""
    if "locations" in request.DESCRIPTOR.fields_by_name:
        return list(request.locations)
    return [request.location] if request.HasField("location") else []
