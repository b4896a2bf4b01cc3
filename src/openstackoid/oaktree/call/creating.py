"""`call create` and `upload`: create in many clouds at once, and show the progress."""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError

from oaktree.client import Oaktree
from oaktree.v1 import image_pb2, resource_pb2
from oaktree.v1.common_pb2 import STAGE_CREATED, STAGE_DONE, Stage, Summary
from oaktree.v1.common_pb2 import Progress as Step
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.call import arguments, errors, output
from openstackoid.oaktree.call.progress import Progress
from openstackoid.oaktree.call.run import conclude, note, say

_GRACE: Final = 30.0  # seconds after the timeout for the server to send its own error
_PIECE: Final = 1024 * 1024  # bytes
_MADE: Final = frozenset({STAGE_CREATED, STAGE_DONE})
_HEAD: Final = "location", "stage", "id", "name", "status"

T = TypeVar("T")


class Parts:
    """The last known state of the part of each cloud-region."""

    def __init__(self) -> None:
        """Create it without parts."""
        self.operation = ""
        self.summary: Summary | None = None
        self._steps: Final[dict[bytes, Step]] = {}
        self._resources: Final[dict[tuple[str, str], dict[str, Any]]] = {}

    def take(self, answer: Any, resource: Mapping[str, Any] | None) -> None:
        """Record an answer, and the resource in it."""
        if answer.HasField("progress"):
            self.operation = answer.progress.operation_id or self.operation
            if answer.progress.HasField("location"):
                self._steps[_key(answer.progress.location)] = answer.progress
        if resource is not None:
            self._resources[errors.place_of(resource), str(resource.get("id"))] = dict(resource)
        if answer.HasField("summary"):
            self.summary = answer.summary

    def line(self) -> str:
        """The overall progress, on one line."""
        ended = sum(step.stage in _MADE or step.HasField("error") for step in self._steps.values())
        latest = next(reversed(self._steps.values()), None)
        return f"{ended} of {len(self._steps)}: {_said(latest)} ..." if latest else "asking ..."

    def documents(self) -> list[dict[str, Any]]:
        """The parts as JSON, for programs."""
        return [self._document(step) for step in self._steps.values()]

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The parts as rows of a table, for people."""
        for step in self._steps.values():
            resource = self._resource(step)
            yield (
                errors.place(step.location),
                stage(step),
                step.resource_id,
                resource.get("name"),
                resource.get("status") or step.status,
            )

    def _resource(self, step: Step) -> dict[str, Any]:
        return self._resources.get((errors.place(step.location), step.resource_id), {})

    def _document(self, step: Step) -> dict[str, Any]:
        error = errors.of_status(step.error).document() if step.HasField("error") else None
        return {
            "operation_id": self.operation,
            "location": output.document(step.location),
            "stage": stage(step),
            "id": step.resource_id or None,
            "resource": self._resource(step) or None,
            "error": error,
        }


def create(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Create a resource in each of the locations."""
    kind = arguments.kind(args.kind)
    options = arguments.create_options(args)
    request = resource_pb2.CreateResourceRequest(
        locations=arguments.locations(args.location or (), oaktree),
        resource=resource_pb2.Resource(kind=kind, attributes=arguments.attributes(args)),
        options=options,
    )
    answers = oaktree.resources.CreateResource(request, timeout=_deadline(args))
    return _follow(
        args, ((answer, _generic(answer)) for answer in answers), options.idempotency_key, Progress(), kind=kind
    )


def upload(args: argparse.Namespace, oaktree: Oaktree) -> int:
    """Upload an image with its data to each of the locations."""
    options = arguments.create_options(args)
    given = arguments.values(args.set or (), "--set")
    given |= {"name": args.name, "disk_format": args.disk_format}
    given.setdefault("container_format", "bare")
    request = image_pb2.CreateImageRequest(
        locations=arguments.locations(args.location or (), oaktree), image=_image(given), options=options
    )
    progress = Progress()
    try:
        size = args.file.stat().st_size
        with args.file.open("rb"):
            pass
    except OSError as error:
        raise arguments.WrongError(f"{args.file}: {error.strerror}") from error
    answers = oaktree.image.UploadImage(_pieces(args.file, size, request, progress), timeout=_deadline(args))
    return _follow(
        args, ((answer, _typed(answer)) for answer in answers), options.idempotency_key, progress, kind="image.image"
    )


def stage(step: Step) -> str:
    """The name of a stage for people."""
    return Stage.Name(step.stage).removeprefix("STAGE_").lower()


def _follow(
    args: argparse.Namespace,
    answers: Iterable[tuple[Any, Mapping[str, Any] | None]],
    key: str,
    progress: Progress,
    *,
    kind: str,
) -> int:
    parts = Parts()
    try:
        with progress:
            for answer, resource in answers:
                parts.take(answer, resource)
                progress.show(f"{kind}: {parts.line()}")
    except KeyboardInterrupt:
        _broken_off(parts, key)
        raise
    except grpc.RpcError:
        if parts.operation:
            _broken_off(parts, key)
        raise
    if args.format == "table":
        output.grid(_HEAD, list(parts.rows()))
    else:
        output.documents(parts.documents(), args.format)
    code = conclude(parts.summary, "nothing was created: the server has no cloud for you")
    if code != errors.OK and parts.operation:
        note(f"openstackoid oaktree call operation show {parts.operation}  # what became of it; 'undo' deletes it")
    return code


def _broken_off(parts: Parts, key: str) -> None:
    if parts.operation:
        say(
            f"what was sent goes on; 'openstackoid oaktree call operation show {parts.operation}' tells what came of it"
        )
    say(f"the same again with --idempotency-key {key} creates nothing twice")


def _said(step: Step) -> str:
    percent = f" {step.percent} %" if step.HasField("percent") else ""
    return f"{errors.place(step.location)} {stage(step)}{f' ({step.status})' if step.status else ''}{percent}"


def _deadline(args: argparse.Namespace) -> float | None:
    return args.timeout + _GRACE if args.timeout else None


def _generic(answer: resource_pb2.CreateResourceResponse) -> dict[str, Any] | None:
    return output.resource(answer.resource) if answer.HasField("resource") else None


def _typed(answer: image_pb2.CreateImageResponse) -> dict[str, Any] | None:
    if not answer.HasField("image"):
        return None
    document = output.document(answer.image)
    return {**document.pop("other", {}), **document}


def _image(given: Mapping[str, Any]) -> image_pb2.Image:
    """Make the image message: attributes without a field of their own go to `other`."""
    fields = image_pb2.Image.DESCRIPTOR.fields_by_name
    known: dict[str, Any] = {"other": {}}
    for name, value in given.items():
        if name not in fields:
            known["other"][name] = value
        elif fields[name].type == FieldDescriptor.TYPE_BOOL and value in ("true", "false"):
            known[name] = value == "true"
        else:
            known[name] = value
    try:
        return ParseDict(known, image_pb2.Image())
    except ParseError as error:
        raise arguments.WrongError(f"--set: {error}") from error


def _pieces(
    file: Path, size: int, request: image_pb2.CreateImageRequest, progress: Progress
) -> Iterator[image_pb2.UploadImageRequest]:
    # Runs in a thread of gRPC.
    yield image_pb2.UploadImageRequest(create=request)
    sent = 0
    with file.open("rb") as data:
        while piece := data.read(_PIECE):
            sent += len(piece)
            progress.show(f"{file.name}: {sent * 100 // max(size, sent)} % sent to the oaktree ...")
            yield image_pb2.UploadImageRequest(data=piece)


def _key(location: Location) -> bytes:
    return location.SerializeToString(deterministic=True)
