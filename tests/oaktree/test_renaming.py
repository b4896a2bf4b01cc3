"""Errors of another oaktree, which may send any bytes."""

import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2

from openstackoid.oaktree.chain.renaming import renamed_status
from openstackoid.oaktree.statuses import reason

TYPE = "type.googleapis.com/google.rpc."


@pytest.mark.parametrize("name", ["ErrorInfo", "RetryInfo", "BadRequest", "DebugInfo", "Unknown", ""])
def test_details_that_are_none_are_left_out_and_the_others_stay(name: str) -> None:
    status = status_pb2.Status(code=14, message="away", details=[Packed(type_url=TYPE + name, value=b"\xff\xff")])
    info = error_details_pb2.ErrorInfo(reason="AWAY", metadata={"cloud": "One"})
    status.details.add().Pack(info)
    renamed = renamed_status("SiteB", status)
    (kept,) = renamed.details
    unpacked = error_details_pb2.ErrorInfo()
    assert kept.Unpack(unpacked)
    assert (unpacked.metadata["cloud"], reason(renamed), renamed.message) == ("SiteB/One", "AWAY", "away")
