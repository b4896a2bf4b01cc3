"""Prometheus metrics: requests and their duration, by service, decision, cloud and status class; the state of peers and loops.

Labels are few on purpose: no path, no user, no project, and no text of a request or of a peer: values of labels are never freed.
"""

import math
import os
import time
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final, Protocol

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    generate_latest,
    values,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from openstackoid.gateway.telemetry.audit import Record
from openstackoid.gateway.telemetry.gauges import State, gauges

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SECONDS: Final = Histogram(
    "openstackoid_request_seconds",
    "Time from a request's head to the end of its answer.",
    ("service", "decision", "cloud", "status"),
    buckets=_BUCKETS,
)
_ERRORS: Final = Counter("openstackoid_errors", "Requests that the gateway itself answered with an error.", ("code",))
_LOOKS: Final = Counter(
    "openstackoid_peer_looks", "Looks at what a peer serves: ok, or the code of the error.", ("peer", "result")
)
# Seconds of the machine's monotonic clock, which all workers share; `_Ages` makes an age of it.
_WORKED: Final = Gauge("openstackoid_loop_worked", "", ("loop",), multiprocess_mode="liveall")
_LEGS: Final = Counter(
    "openstackoid_legs",
    "Clouds that were asked beside others: a status class, or the code of what went wrong.",
    ("service", "cloud", "result"),
)
_REGIONS: Final = Summary(
    "openstackoid_region_seconds",
    "Time until the answer to a request of a region began, by status class or the code of what went wrong.",
    ("region", "result"),
)
MINTED: Final = Counter("openstackoid_minted", "Federated tokens sent: newly signed, or used again.", ("how",))
VERIFIED: Final = Counter("openstackoid_verified", "Federated tokens seen: verified, or known already.", ("how",))
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


def share(folder: str) -> None:
    """In one of several workers: count in files of a folder, which the one that answers Prometheus reads. Before anything is counted."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    # The library reads the variable when it is imported (`get_value_class` in its values.py), which was before the fork. Series look here when they are made.
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


@cache
def audit_lost() -> Counter:
    """The counter of lines of audit that could not be written. It has no labels, so it would be a series from its import on: see `share`."""
    return Counter("openstackoid_audit_lost_lines", "Lines of audit that could not be written.")


@lru_cache(maxsize=1024)
def _series(service: str, decision: str, cloud: str, status: str) -> Histogram:
    return _SECONDS.labels(service, decision, cloud, status)


def count(record: Record) -> None:
    """Count a request that ended."""
    status, served = f"{record.status // 100}xx", record.decision in {"local", "remote"}
    # A refused request counts for this cloud: its scope may name any cloud, and values of labels are never freed.
    cloud = (record.peer if served else None) or record.cloud
    _series(record.service or "", record.decision or "", cloud, status).observe(record.ms / 1000)
    if record.error:
        _ERRORS.labels(record.error).inc()


def leg(service: str, cloud: str, status: int | None, code: str | None) -> None:
    """Count one cloud of a request to several. An answer counts by its status class only, since a peer may choose its error code."""
    _LEGS.labels(service, cloud, f"{status // 100}xx" if status is not None else code or "").inc()


def region(name: str, result: str, seconds: float) -> None:
    """Count a request of one of this cloud's regions."""
    _REGIONS.labels(name, result).observe(seconds)


def look(peer: str, result: str) -> None:
    """Count a poll of a peer."""
    _LOOKS.labels(peer, result).inc()


def loop(name: str, worked: float) -> None:
    """Set when a loop last worked (monotonic); infinity if it has stopped."""
    _WORKED.labels(name).set(worked)


def text(state: State) -> bytes:
    """The metrics of all workers in Prometheus' text format, with the state of the one that answers."""
    audit_lost()  # 0 until a line is lost
    registry = CollectorRegistry()
    collector: _Collector = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        collector = MultiProcessCollector(None)  # type: ignore[no-untyped-call]
    registry.register(_Ages(collector))
    registry.register(_Now(state))
    return generate_latest(registry)


class _Collector(Protocol):
    def collect(self) -> Iterable[Metric]: ...


class _Now:
    """The metrics of a state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return gauges(self._state)


class _Ages:
    """Metrics with the age of loops, computed when Prometheus reads them: a loop that hangs could not update its age."""

    def __init__(self, collector: _Collector) -> None:
        self._found = collector

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        for metric in self._found.collect():
            if metric.name != "openstackoid_loop_worked":
                yield metric
                continue
            ages = GaugeMetricFamily(
                "openstackoid_loop_age_seconds",
                "Seconds since a loop last worked, in the worst worker.",
                labels=("loop",),
            )
            worked: dict[str, float] = {}
            for sample in metric.samples:
                if math.isfinite(sample.value) and _lives(sample.labels.get("pid")):
                    name = sample.labels["loop"]
                    worked[name] = min(worked.get(name, math.inf), sample.value)
            for name, when in sorted(worked.items()):
                ages.add_metric((name,), max(0.0, time.monotonic() - when))
            yield ages


def _lives(pid: str | None) -> bool:
    """Whether a worker runs: the metrics files of a dead worker stay."""
    try:
        os.kill(int(pid or os.getpid()), 0)
    except OSError:
        return False
    return True
