"""oaktree's messages as the JSON of clouds' APIs, and errors as HTTP answers. Pure.

openstacksdk's classes accept attributes by openstacksdk's own names as well as by those of the APIs, so nothing is renamed in answers.
"""

from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct, Value
from google.rpc import error_details_pb2, status_pb2
from openstack.resource import Resource

from oaktree.v1 import resource_pb2
from oaktree.v1.location_pb2 import Location

# openstacksdk's `find` takes 400 to the name of a resource for "no such id" and lists by name, then raises DuplicateResource.
_REASONS: Final = {"NAME_AMBIGUOUS": 400}
_CODES: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_NUMBERS: Final = {code.value[0]: number for code, number in _CODES.items()}


def document(resource: resource_pb2.Resource) -> dict[str, Any]:
    """A resource as JSON. Its location is left out: openstacksdk replaces it by the entry's name and region."""
    return {**_object(resource.attributes), "id": resource.id, "name": resource.name}


def location(text: str) -> Location | None:
    """The location of a region's name, "CLOUD" or "CLOUD/REGION"; None for an empty one.

    The clouds of other oaktrees have slashes in their names ("SITE/CLOUD"): their region follows a second slash ("SITE/CLOUD//REGION").
    """
    if not text:
        return None
    if "//" in text:
        cloud, _, region = text.partition("//")
    else:
        cloud, _, region = text.partition("/")
    return Location(cloud=cloud, region=region)


def filters(cls: type[Resource], asked: Mapping[str, str]) -> dict[str, Any]:
    """The filters of a query by openstacksdk's names."""
    names = {}
    for name, wire in cls._query_mapping._mapping.items():  # noqa: SLF001 - has no public accessor
        names[wire["name"] if isinstance(wire, Mapping) else wire] = name
    # openstacksdk asks nova for flavors with is_public=None, which means either.
    return {names.get(name, name): value for name, value in asked.items() if value != "None"}


def wrapped(key: str | None, value: Any) -> Any:
    """A body in the form of an API: below a key, if the API has one. Of nested keys ("a.b"), all are made."""
    for part in reversed(key.split(".") if key else ()):
        value = {part: value}
    return value


def unwrapped(key: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes in a request's body."""
    inner = body.get(key) if key else None
    if not isinstance(inner, Mapping):
        return dict(body)
    return {**{name: value for name, value in body.items() if name != key}, **inner}


def refusal(status: int, message: str) -> tuple[int, Any]:
    """An error of this transport, in OpenStack's form."""
    return status, {"error": {"code": status, "title": "oaktree", "message": message}}


def of_error(error: grpc.RpcError) -> tuple[int, Any]:
    """The error of a call."""
    status = _status(error)
    if status is not None:
        return of_status(status)
    code: Any = getattr(error, "code", lambda: None)()
    return refusal(_CODES.get(code, 500), text(error))


def of_status(status: status_pb2.Status) -> tuple[int, Any]:
    """The error of one cloud."""
    reason = _reason(status)
    number = _REASONS.get(reason) or _NUMBERS.get(status.code, 500)
    return refusal(number, f"{status.message} ({reason})" if reason else status.message)


def text(error: grpc.RpcError) -> str:
    """The text of a call's error."""
    return str(getattr(error, "details", lambda: None)() or error)


def _status(error: Any) -> status_pb2.Status | None:
    metadata: Any = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    for name, value in metadata or ():
        if name == "grpc-status-details-bin":
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _reason(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        try:
            if detail.Unpack(info):
                return str(info.reason)
        except DecodeError:
            return ""
    return ""


def _object(struct: Struct) -> dict[str, Any]:
    return {name: _plain(value) for name, value in struct.fields.items()}


def _plain(value: Value) -> Any:
    """A value as JSON; the numbers of a Struct are floats, and those of the APIs mostly integers."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return _object(value.struct_value)
        case "list_value":
            return [_plain(each) for each in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "string_value":
            return value.string_value
    return None
