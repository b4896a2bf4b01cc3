"""What Prometheus reads: requests and their time, by service, decision, cloud and status class; the peers' state.

Labels are few on purpose: no path, no user, no project.
"""

import os
from functools import lru_cache
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from openstackoid.gateway.audit import Record

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SECONDS: Final = Histogram(
    "openstackoid_request_seconds",
    "Time from a request's head to the end of its answer.",
    ("service", "decision", "cloud", "status"),
    buckets=_BUCKETS,
)
_ERRORS: Final = Counter("openstackoid_errors", "Requests that the gateway itself answered with an error.", ("code",))
_PEER_UP: Final = Gauge(
    "openstackoid_peer_up", "1 if the peer answered the last time.", ("peer",), multiprocess_mode="mostrecent"
)
MINTED: Final = Counter("openstackoid_minted", "Federated tokens sent: newly signed, or used again.", ("how",))
VERIFIED: Final = Counter("openstackoid_verified", "Federated tokens seen: verified, or known already.", ("how",))
AUDIT_LOST: Final = Counter("openstackoid_audit_lost_lines", "Lines of audit that could not be written.")
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


@lru_cache(maxsize=1024)
def _series(service: str, decision: str, cloud: str, status: str) -> Histogram:
    return _SECONDS.labels(service, decision, cloud, status)


def count(record: Record) -> None:
    """Count a request that ended."""
    status = f"{record.status // 100}xx"
    _series(record.service or "", record.decision or "", record.peer or record.cloud, status).observe(record.ms / 1000)
    if record.error:
        _ERRORS.labels(record.error).inc()


def peers(up: dict[str, bool]) -> None:
    """Tell the peers' state."""
    for name, answered in up.items():
        _PEER_UP.labels(name).set(1 if answered else 0)


def text() -> bytes:
    """The metrics of all workers in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
