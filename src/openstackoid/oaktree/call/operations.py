"""`call operation`: the recorded operations of creates."""

import argparse
import sys
from typing import Any

from oaktree.client import Oaktree
from oaktree.client import watch as again
from oaktree.v1 import operation_pb2
from oaktree.v1.common_pb2 import STAGE_CREATED, STAGE_DONE, STAGE_FAILED, STAGE_UNDONE, STAGE_UNKNOWN
from openstackoid.oaktree.call import errors, output
from openstackoid.oaktree.call.creating import stage
from openstackoid.oaktree.call.run import note, say


def list_(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """List the caller's operations, the newest first."""
    request = operation_pb2.ListOperationsRequest(page_size=args.page_size, page_token=args.page_token or "")
    answer = oaktree.operations.ListOperations(request, timeout=args.timeout)
    if args.format == "table":
        rows = [
            (
                operation.id,
                operation.created_at.ToJsonString(),
                operation.kind,
                "yes" if operation.done else "no",
                ", ".join(f"{errors.place(part.location)} {stage(part)}" for part in operation.parts),
            )
            for operation in answer.operations
        ]
        output.grid(["id", "created at", "kind", "done", "parts"], rows)
    else:
        output.documents([_document(operation) for operation in answer.operations], args.format)
    sys.stdout.flush()
    for failure in answer.failures:
        say(f"{errors.place(failure.location)}: {errors.of_status(failure.error)}")
    if answer.next_page_token:
        note(f"There is more: the same with --page-token {answer.next_page_token}")
    return errors.PARTLY if answer.failures else errors.OK


def show(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Show one operation; the server queries its clouds if the outcome is open."""
    request = operation_pb2.GetOperationRequest(id=args.id)
    _print(oaktree.operations.GetOperation(request, timeout=args.timeout).operation, args)
    return errors.OK


def wait(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Wait until an operation is done, then show it. Returns 3 if a part of it failed."""
    request = operation_pb2.WatchOperationRequest(id=args.id)
    operation = operation_pb2.Operation()
    for answer in again(oaktree.operations.WatchOperation, request, timeout=args.timeout):
        operation = answer.operation
    _print(operation, args)
    made = all(part.stage in (STAGE_CREATED, STAGE_DONE) and not part.HasField("error") for part in operation.parts)
    return errors.OK if made else errors.PARTLY


def undo(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Delete the resources that an operation created. Returns 3 if some of them still exist."""
    request = operation_pb2.UndoOperationRequest(id=args.id)
    operation = oaktree.operations.UndoOperation(request, timeout=args.timeout).operation
    _print(operation, args)
    left = [
        part
        for part in operation.parts
        if part.stage == STAGE_UNKNOWN or (part.resource_id and part.stage not in (STAGE_UNDONE, STAGE_FAILED))
    ]
    for undone in left:
        say(f"{errors.place(undone.location)}: it may still be there: {undone.resource_id or 'its id is not known'}")
    return errors.PARTLY if left else errors.OK


def _document(operation: operation_pb2.Operation) -> dict[str, Any]:
    """The operation as JSON, with stages and errors in the form of `create`."""
    converted = output.document(operation)
    for part, document in zip(operation.parts, converted.get("parts", ()), strict=False):
        document.pop("operation_id", None)
        document["stage"] = stage(part)
        document["error"] = errors.of_status(part.error).document() if part.HasField("error") else None
    return converted


def _print(operation: operation_pb2.Operation, args: argparse.Namespace) -> None:
    if args.format != "table":
        output.documents(_document(operation), args.format)
        return
    head = {
        "id": operation.id,
        "created at": operation.created_at.ToJsonString(),
        "kind": operation.kind,
        "key": operation.idempotency_key,
        "done": operation.done,
    }
    output.pairs(head)
    print()
    rows = [
        (
            errors.place(part.location),
            stage(part),
            part.resource_id,
            part.status,
            errors.of_status(part.error) if part.HasField("error") else None,
        )
        for part in operation.parts
    ]
    output.grid(["location", "stage", "id", "status", "went wrong"], rows)
