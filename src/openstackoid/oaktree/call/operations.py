"""`call operation`: what became of creates."""

import argparse
import sys
from typing import Any

from oaktree.client import Oaktree
from oaktree.v1 import operation_pb2
from oaktree.v1.common_pb2 import STAGE_FAILED, STAGE_UNDONE, STAGE_UNKNOWN
from openstackoid.oaktree.call import shown, told
from openstackoid.oaktree.call.creating import stage
from openstackoid.oaktree.call.run import note, say


def list_(arguments: argparse.Namespace, oaktree: Oaktree) -> int:
    """The caller's operations, the newest first."""
    request = operation_pb2.ListOperationsRequest(page_size=arguments.page_size, page_token=arguments.page_token or "")
    answer = oaktree.operations.ListOperations(request, timeout=arguments.timeout)
    if arguments.format == "table":
        rows = [
            (
                each.id,
                each.created_at.ToJsonString(),
                each.kind,
                "yes" if each.done else "no",
                ", ".join(f"{told.place(part.location)} {stage(part)}" for part in each.parts),
            )
            for each in answer.operations
        ]
        shown.grid(["id", "created at", "kind", "done", "parts"], rows)
    else:
        shown.documents([_document(each) for each in answer.operations], arguments.format)
    sys.stdout.flush()
    for failure in answer.failures:
        say(f"{told.place(failure.location)}: {told.of_status(failure.error)}")
    if answer.next_page_token:
        note(f"There is more: the same with --page-token {answer.next_page_token}")
    return told.PARTLY if answer.failures else told.OK


def show(arguments: argparse.Namespace, oaktree: Oaktree) -> int:
    """One operation; its clouds are asked if nobody knows what became of it."""
    request = operation_pb2.GetOperationRequest(id=arguments.id)
    _print(oaktree.operations.GetOperation(request, timeout=arguments.timeout).operation, arguments)
    return told.OK


def undo(arguments: argparse.Namespace, oaktree: Oaktree) -> int:
    """Delete what an operation created; 3 if some of it is still there."""
    request = operation_pb2.UndoOperationRequest(id=arguments.id)
    operation = oaktree.operations.UndoOperation(request, timeout=arguments.timeout).operation
    _print(operation, arguments)
    left = [
        each
        for each in operation.parts
        if each.stage == STAGE_UNKNOWN or (each.resource_id and each.stage not in (STAGE_UNDONE, STAGE_FAILED))
    ]
    for each in left:
        say(f"{told.place(each.location)}: it may still be there: {each.resource_id or 'its id is not known'}")
    return told.PARTLY if left else told.OK


def _document(operation: operation_pb2.Operation) -> dict[str, Any]:
    """With stages and errors as `create` tells them."""
    found = shown.document(operation)
    for part, document in zip(operation.parts, found.get("parts", ()), strict=False):
        document.pop("operation_id", None)
        document["stage"] = stage(part)
        document["error"] = told.of_status(part.error).document() if part.HasField("error") else None
    return found


def _print(operation: operation_pb2.Operation, arguments: argparse.Namespace) -> None:
    if arguments.format != "table":
        shown.documents(_document(operation), arguments.format)
        return
    head = {
        "id": operation.id,
        "created at": operation.created_at.ToJsonString(),
        "kind": operation.kind,
        "key": operation.idempotency_key,
        "done": operation.done,
    }
    shown.pairs(head)
    print()
    rows = [
        (
            told.place(each.location),
            stage(each),
            each.resource_id,
            each.status,
            told.of_status(each.error) if each.HasField("error") else None,
        )
        for each in operation.parts
    ]
    shown.grid(["location", "stage", "id", "status", "went wrong"], rows)
