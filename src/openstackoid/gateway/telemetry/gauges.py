"""Metrics that are computed when Prometheus reads them, from the state of the worker that answers.

A stored gauge keeps the value of a peer or a key that is gone; these have only what there is now.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric

_VERSION: Final = metadata.version("openstackoid")


@dataclass(frozen=True, slots=True)
class State:
    """What a gateway knows about itself and its peers.

    Attributes:
        cloud: its cloud's name.
        peers: name -> whether the peer answered the last time.
        certificate_ends: key of the configuration -> the end of the certificate (Unix seconds).
        keys: of this cloud, as `trust.keys.Keys.listed` describes them.
        agreements_age: seconds since the agreements were last read; None without a database.
    """

    cloud: str
    peers: Mapping[str, bool] = field(default_factory=dict)
    certificate_ends: Mapping[str, float] = field(default_factory=dict)
    keys: Sequence[Mapping[str, Any]] = ()
    agreements_age: float | None = None


def gauges(state: State) -> Iterator[Metric]:
    """The metrics of a state."""
    build = GaugeMetricFamily(
        "openstackoid_build_info", "1; the labels say what runs.", labels=("version", "python", "cloud")
    )
    build.add_metric((_VERSION, platform.python_version(), state.cloud), 1)
    yield build
    up = GaugeMetricFamily("openstackoid_peer_up", "1 if the peer answered the last time.", labels=("peer",))
    for peer, answered in sorted(state.peers.items()):
        up.add_metric((peer,), int(answered))
    yield up
    ends = GaugeMetricFamily(
        "openstackoid_certificate_expiry_timestamp_seconds",
        "End of a certificate that the gateway has read (Unix time).",
        labels=("key",),
    )
    for key, end in sorted(state.certificate_ends.items()):
        ends.add_metric((key,), end)
    yield ends
    yield from _keys(state)
    age = GaugeMetricFamily("openstackoid_agreements_age_seconds", "Seconds since the agreements were last read.")
    if state.agreements_age is not None:
        age.add_metric((), state.agreements_age)
    yield age


def _keys(state: State) -> Iterator[Metric]:
    labels = ("use", "kid")
    begins = GaugeMetricFamily(
        "openstackoid_key_start_timestamp_seconds", "First use of a key of this cloud (Unix time).", labels=labels
    )
    ends = GaugeMetricFamily(
        "openstackoid_key_expiry_timestamp_seconds",
        "End of a key of this cloud that a rotation replaced (Unix time).",
        labels=labels,
    )
    for key in state.keys:
        begins.add_metric((key["use"], key["kid"]), key["from"])
        if key["until"] is not None:
            ends.add_metric((key["use"], key["kid"]), key["until"])
    yield begins
    yield ends
