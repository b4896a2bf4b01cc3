"""How calls fail, as their callers read it."""

from collections.abc import Awaitable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from openstackoid.oaktree import statuses


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str, error_details_pb2.ErrorInfo]:
    """Status, message and ErrorInfo of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = error_details_pb2.ErrorInfo()
    assert status(caught.value).details[0].Unpack(info)
    return caught.value.code(), str(caught.value.details()), info


def status(error: Any) -> status_pb2.Status:
    found = rpc_status.from_call(error)
    assert found is not None, error
    return found


def detail(status: status_pb2.Status, kind: Any) -> Any:
    """The first of a kind, or None."""
    found = kind()
    return next((found for each in status.details if each.Unpack(found)), None)


def reason(error: Any) -> str:
    return statuses.reason(status(error))


def violation(error: Any) -> str:
    """The field that an error of a caller's is about, or nothing."""
    found = detail(status(error), error_details_pb2.BadRequest)
    return str(found.field_violations[0].field) if found else ""
