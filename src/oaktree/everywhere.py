"""Lists as plain iterators over the items of all clouds. A partial list always raises or warns."""

import importlib
import pkgutil
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

import oaktree.v1
from oaktree.v1.common_pb2 import CloudResult, ListOptions, Summary
from oaktree.v1.location_pb2 import Location

# A cloud without the service has no resources of it: this counts as an answer.
_NO_SERVICE: Final = "SERVICE_MISSING"


class CloudsFailedError(Exception):
    """Some clouds did not answer: the list is incomplete.

    Attributes:
        failures: the results of these clouds, each with its error; empty if the oaktree has no cloud for the caller.
    """

    def __init__(self, failures: Sequence[CloudResult]) -> None:
        """Keep the results of these clouds."""
        self.failures: Final = tuple(failures)
        super().__init__(_text(failures))


class CloudsFailedWarning(UserWarning):
    """CloudsFailedError as a warning, for `failures="warn"`."""


class Everywhere:
    """One method for each list of the API, by its name: `servers()`, `images()`, `security_groups()`; `resources(kind="...")` for every other kind."""

    def __init__(self, channel: grpc.Channel) -> None:
        """Ask over a channel."""
        self._channel = channel

    def __getattr__(self, name: str) -> Callable[..., Iterator[Any]]:
        """The list of this name.

        Its arguments:
            locations: the locations, each "CLOUD", ("CLOUD", "REGION") or a `Location`; all clouds by default.
            failures: the reaction if some clouds did not answer: "raise" a CloudsFailedError after the items of the others, or "warn".
            timeout: seconds for each request.
            filters, query, order_by, page_size, refresh: the fields of `ListOptions`; all pages are read.
            others: other fields of the request: parameters of the kind's path, such as `zone_id` of DNS recordsets.

        Raises:
            CloudsFailedError: some clouds did not answer.
            grpc.RpcError: the oaktree did not answer, or refused the request.
        """
        if name.startswith("_") or name not in _lists():
            raise AttributeError(f"the API has no list {name!r}; it has {', '.join(_lists())}")
        service, rpc = _lists()[name]
        stubs = importlib.import_module(f"oaktree.v1.{service}_pb2_grpc")
        stub: Any = getattr(stubs, f"{_service(service)}Stub")(self._channel)
        request = getattr(importlib.import_module(f"oaktree.v1.{service}_pb2"), f"{rpc}Request")

        def items(**asked: Any) -> Iterator[Any]:
            return _items(getattr(stub, rpc), request, **asked)

        return items

    def __dir__(self) -> Iterable[str]:
        return _lists()


def _items(
    rpc: Callable[..., Any],
    request: Callable[..., Any],
    *,
    locations: "Iterable[str | tuple[str, str] | Location]" = (),
    failures: Literal["raise", "warn"] = "raise",
    timeout: float | None = None,
    filters: Mapping[str, Any] | None = None,
    query: str = "",
    order_by: str = "",
    page_size: int = 0,
    refresh: bool = False,
    **others: Any,
) -> Iterator[Any]:
    if failures not in ("raise", "warn"):
        raise ValueError(f"failures: expected 'raise' or 'warn', got {failures!r}")
    options = ListOptions(query=query, order_by=order_by, page_size=page_size, refresh=refresh)
    options.filters.update(filters or {})
    message = request(locations=[_location(each) for each in locations], options=options, **others)
    failed: list[CloudResult] = []
    while True:
        summary = None
        call = rpc(message, timeout=timeout)
        try:
            for answer in call:
                if answer.HasField("summary"):
                    summary = answer.summary
                field = next(each for each in answer.DESCRIPTOR.fields if each.is_repeated)
                yield from getattr(answer, field.name)
        finally:
            call.cancel()  # if the caller leaves the loop early, cancel the call
        failed += _failed(summary)
        if summary is None or not summary.results or not summary.next_page_token:
            break
        message.options.page_token = summary.next_page_token
    if failed or summary is None or not summary.results:
        if failures == "raise":
            raise CloudsFailedError(failed)
        warnings.warn(_text(failed), CloudsFailedWarning, stacklevel=2)


def _failed(summary: Summary | None) -> list[CloudResult]:
    found = [each for each in summary.results if each.HasField("error")] if summary else []
    return [each for each in found if _reason(each.error) != _NO_SERVICE]


def _reason(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        try:
            if detail.Unpack(info):
                return str(info.reason)
        except DecodeError:
            return ""
    return ""


def _text(failures: Sequence[CloudResult]) -> str:
    if not failures:
        return "no cloud was asked, or the answer ended before its summary: what was listed need not be all"
    places = (
        f"{'/'.join(filter(None, (each.location.cloud, each.location.region)))}: {each.error.message}"
        for each in failures
    )
    return f"what was listed is not all: {'; '.join(places)}"


def _location(given: "str | tuple[str, str] | Location") -> Location:
    if isinstance(given, Location):
        return given
    cloud, region = (given, "") if isinstance(given, str) else given
    return Location(cloud=cloud, region=region)


def _service(module: str) -> str:
    return "".join(part.capitalize() for part in module.split("_")) + "Service"


@cache
def _lists() -> Mapping[str, tuple[str, str]]:
    """Names of methods -> the service's module, the RPC."""
    found = {}
    for module in pkgutil.iter_modules(oaktree.v1.__path__):
        name = module.name.removesuffix("_pb2")
        if module.name.endswith("_pb2"):
            services = importlib.import_module(f"oaktree.v1.{module.name}").DESCRIPTOR.services_by_name
            for rpc in (each for service in services.values() for each in service.methods):
                if rpc.name.startswith("List") and "options" in rpc.input_type.fields_by_name:
                    found[re.sub(r"(?<!^)(?=[A-Z])", "_", rpc.name.removeprefix("List")).lower()] = name, rpc.name
    return dict(sorted(found.items()))
