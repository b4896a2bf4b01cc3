"""Bytes that are no message: every rpc says so in the same words, and the server's log says nothing."""

from collections.abc import Iterator
from typing import Any, cast

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status
from tests.oaktree.world import Oaktree, Simulated

from oaktree.v1 import image_pb2
from openstackoid.oaktree import statuses
from openstackoid.oaktree.resources.methods import files

RUBBISH = {"bytes": b"\xff\xff\xff\xff", "text": b"\x0a\x03\xff\xfe\xfd"}
METHODS = [
    method
    for file in (*files(), health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oaktree]:
    folder = tmp_path_factory.mktemp("oaktree")
    clouds = Simulated(folder)
    oaktree = Oaktree(folder, clouds.clouds_yaml(folder / "clouds.yaml", ("one",)))
    yield oaktree
    assert oaktree.stop() == 0
    clouds.stop()
    assert "Traceback" not in oaktree.log.read_text()


def refused(channel: grpc.Channel, method: MethodDescriptor, *requests: bytes) -> tuple[str, str, str, str]:
    """How a call ends: its code and reason, the field, and what was expected there."""
    path = f"/{cast('Any', method).containing_service.full_name}/{method.name}"
    many, answers = cast("Any", method).client_streaming, cast("Any", method).server_streaming
    kind = ("stream" if many else "unary") + "_" + ("stream" if answers else "unary")
    rpc: Any = getattr(channel, kind)(path, bytes, bytes)

    def ask() -> None:
        found = rpc(iter(requests) if many else requests[0], timeout=30)
        list(found if answers else ())

    with pytest.raises(grpc.RpcError) as caught:
        ask()
    status = rpc_status.from_call(cast("Any", caught.value))
    assert status is not None, caught.value
    wrong = error_details_pb2.BadRequest()
    assert any(each.Unpack(wrong) for each in status.details)
    [violation] = wrong.field_violations
    code = cast("Any", caught.value).code().name
    return code, statuses.reason(status), violation.field, violation.description


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_every_rpc_names_what_it_cannot_read(server: Oaktree, rubbish: str) -> None:
    assert {"ListClouds", "GetRestInfo", "ListKinds", "GetOperation", "ListOperations", "UndoOperation", "UploadImage"} < {each.name for each in METHODS}  # fmt: skip
    with server.channel() as channel:
        for method in METHODS:
            message = method.input_type.name
            first = method.input_type.fields_by_number.get(1)
            if rubbish == "text" and (first is None or first.type not in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE)):  # fmt: skip
                continue
            told = refused(channel, method, RUBBISH[rubbish])
            expected = f"expected a message {message}, and text in it as UTF-8"
            assert told == ("INVALID_ARGUMENT", "INVALID_FIELD", "request", expected), method.full_name


def test_a_stream_ends_at_the_message_that_cannot_be_read(server: Oaktree) -> None:
    [upload] = [each for each in METHODS if each.name == "UploadImage"]
    create = image_pb2.CreateImageRequest(image=image_pb2.Image(name="x", disk_format="raw"))
    first = image_pb2.UploadImageRequest(create=create).SerializeToString()
    data = image_pb2.UploadImageRequest(data=b"x" * 1000).SerializeToString()
    with server.channel() as channel:
        told = refused(channel, upload, first, data, RUBBISH["bytes"], data)
    assert told[:3] == ("INVALID_ARGUMENT", "INVALID_FIELD", "request")
