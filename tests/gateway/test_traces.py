"""Traces: a request over two clouds is one trace at a collector of OpenTelemetry."""

import socket
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.gateway.wire import QUERY, TOKEN, Cloud, Gateway, Seen, Upstream, ask, reply, scope, until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass
class Span:
    """What the collector got of one."""

    cloud: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str]


@dataclass
class Collector:
    """Takes spans by OTLP over HTTP."""

    spans: list[Span] = field(default_factory=list)
    raw: bytes = b""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.upstream = Upstream(self._take)

    def _take(self, seen: Seen, _: socket.socket) -> bytes:
        for resource in ExportTraceServiceRequest.FromString(seen.raw).resource_spans:
            cloud = {each.key: each.value.string_value for each in resource.resource.attributes}["openstackoid.cloud"]
            for scoped in resource.scope_spans:
                for span in scoped.spans:
                    attributes = {each.key: str(each.value) for each in span.attributes}
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    with self.lock:
                        self.spans.append(Span(cloud, span.name, *ids, attributes))
        with self.lock:
            self.raw += seen.raw
        return reply(200, b"", {"Content-Type": "application/x-protobuf"})

    def named(self, cloud: str, name: str) -> list[Span]:
        with self.lock:
            return [span for span in self.spans if (span.cloud, span.name, span.trace) == (cloud, name, TRACE)]


def test_one_trace_over_both_clouds(tmp_path: Path) -> None:
    collector = Collector()
    one, two = Cloud("CloudOne", paths=False), Cloud("CloudTwo", paths=False)
    peers: dict[str, Any] = {"CloudTwo": {"url": two.frontends["identity"]}}
    back: dict[str, Any] = {"CloudOne": {"url": one.frontends["identity"]}}
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.upstream.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    gateways = [
        Gateway(tmp_path / "one", one.config(peers=peers), environment=environment),
        Gateway(tmp_path / "two", two.config(peers=back), environment=environment),
    ]
    try:
        for gateway in gateways:
            gateway.ready()
        # CloudOne may have asked before CloudTwo listened; then it asks again after a while.
        address = gateways[0].url("image")
        until(lambda: ask(address, "/openstackoid/v1/peers", token=None).json["peers"][0]["state"] == "up")
        headers = scope(image="CloudTwo") | {"traceparent": f"00-{TRACE}-{PARENT}-01", "baggage": "who=alice"}
        answer = ask(gateways[0].url("image"), f"/v2/traced?{QUERY}", headers)
        assert answer.status == 200, answer.body
        (entry,) = until(lambda: collector.named("CloudOne", "GET image"))
        (served,) = until(lambda: collector.named("CloudTwo", "GET image"))
        crossing = until(lambda: [span for span in collector.named("CloudOne", "GET") if span.id == served.parent])
        until(lambda: [span for span in collector.named("CloudTwo", "GET") if span.parent == served.id])
        assert entry.parent == PARENT
        assert crossing[0].parent == entry.id
        assert '"remote"' in entry.attributes["openstackoid.decision"]
        assert '"local"' in served.attributes["openstackoid.decision"]
        seen = two["image"].seen("/v2/traced")
        assert (seen.get("traceparent") or "").split("-")[1] == TRACE
        assert not any(secret.encode() in collector.raw for secret in (TOKEN, QUERY))
    finally:
        for gateway in gateways:
            gateway.end()
        codes = [gateway.stop() for gateway in gateways]
        for upstream in (one, two, collector.upstream):
            upstream.close()
    assert codes == [0, 0]


def test_workers_that_end_send_what_waits(tmp_path: Path) -> None:
    collector, cloud = Collector(), Cloud("CloudOne", paths=False)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.upstream.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    gateway = Gateway(tmp_path / "one", cloud.config(), "--workers", "2", environment=environment)
    try:
        gateway.ready()
        for _ in range(8):
            asked = ask(gateway.url("image"), "/v2/traced", {"traceparent": f"00-{TRACE}-{PARENT}-01"})
            assert asked.status == 200, asked.body
        assert collector.spans == []
    finally:
        gateway.end()
        code = gateway.stop()
        cloud.close()
        collector.upstream.close()
    assert code == 0
    assert len(collector.named("CloudOne", "GET image")) == 8


def test_without_a_collector_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    from openstackoid.gateway.telemetry import traces  # noqa: PLC0415 - what is tested

    traces.start("CloudOne")
    assert traces.sent() == []
    assert "opentelemetry.sdk.trace" not in sys.modules
