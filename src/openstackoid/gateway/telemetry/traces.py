"""Traces by OpenTelemetry, if the environment names a collector: `OTEL_EXPORTER_OTLP_ENDPOINT`, as for every program that has them.

One span for each request that arrives, one for each that is sent, by the instrumentation of aiohttp's client. The context crosses between
clouds in `traceparent` (W3C Trace Context), so a request has one trace over all clouds that it met; it has random ids, and names nobody.
Baggage never crosses: it is text of anybody. Without a collector nothing is imported, and a request costs nothing.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

from openstackoid.gateway.telemetry.audit import Record, without_tokens

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

_COLLECTORS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_ERROR: Final = 500
_provider: "TracerProvider | None" = None
_tracer: "Tracer | None" = None


def start(cloud: str) -> None:
    """Begin to trace in this process, if a collector is named.

    Args:
        cloud: name of this cloud, an attribute of all spans.

    Raises:
        ModuleNotFoundError: a collector is named, and the extra `traces` is not installed.
    """
    global _provider, _tracer  # OpenTelemetry's own provider is the process's, too
    if not any(map(os.environ.get, _COLLECTORS)):
        return
    from opentelemetry import propagate, trace  # noqa: PLC0415 - the extra `traces`
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

    attributes = {"service.name": "openstackoid-gateway", "openstackoid.cloud": cloud}
    provider = TracerProvider(resource=Resource.create(attributes))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    _provider, _tracer = provider, trace.get_tracer("openstackoid")


def stop() -> None:
    """Send the spans that wait, and trace no more. Blocks, at most as long as OpenTelemetry waits for a collector.

    OpenTelemetry does so when an interpreter ends (`atexit`); a worker is a fork, and ends without that.
    """
    if _provider is not None:
        _provider.shutdown()


@contextlib.contextmanager
def arrived(request: web.BaseRequest, record: Record) -> Iterator[None]:
    """The span of a request that arrived; what its record says at the end are its attributes."""
    if _tracer is None:
        yield
        return
    from opentelemetry import propagate  # noqa: PLC0415 - the extra `traces`
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - as above

    context = propagate.extract({"traceparent": request.headers.get("traceparent", "")})
    with _tracer.start_as_current_span(
        request.method, context=context, kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        finally:
            span.update_name(f"{request.method} {record.service or 'openstackoid'}")
            facts: dict[str, Any] = {
                "http.request.method": request.method,
                "http.response.status_code": record.status,
                "openstackoid.service": record.service,
                "openstackoid.decision": record.decision,
                "openstackoid.peer": record.peer,
                "error.type": record.error,
                "openstack.request_id": record.global_request_id,
            }
            span.set_attributes({name: value for name, value in facts.items() if value is not None})
            if record.status >= _ERROR:
                span.set_status(Status(StatusCode.ERROR))


def sent() -> list[aiohttp.TraceConfig]:
    """What a client session needs to have spans of its requests, and their context in them; nothing without a collector."""
    if _tracer is None:
        return []
    from opentelemetry.instrumentation.aiohttp_client import create_trace_config  # noqa: PLC0415 - the extra `traces`

    return [create_trace_config(url_filter=_without_secrets)]


def _without_secrets(url: URL) -> str:
    """A URL without its query, and without a token in its path."""
    return without_tokens(str(url.with_query(None)))
