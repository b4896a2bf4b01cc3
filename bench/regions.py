"""Regions that are parts of another owner's cloud: what a request in one costs beside the same request under `X-Scope`.

python -m bench --only regions
"""

import hashlib
import os
import statistics
import time
from dataclasses import asdict
from typing import Any, Final

from bench.beside import Turn, compared, turns
from bench.front import Front
from bench.rows import Row
from bench.stage import PATH, Variant, load
from bench.upstream import image
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant, Projects
from openstackoid.trust.store import Store

_GOAL: Final = 1.1
_TURN: Final = 0.2  # seconds
_TURNS: Final = 12
_MANY: Final = 1000  # regions
_SMALL: Final = 1024  # bytes of image data, as `bench.front` asks for


def measured(rounds: int) -> dict[str, Any]:
    """All rows of this section.

    Args:
        rounds: of turns.
    """
    began = time.monotonic()
    rows = [*_paths(rounds), *_scale()]
    return {
        "rows": [asdict(row) for row in rows],
        "rounds": rounds,
        "load_average": os.getloadavg()[0],
        "seconds": time.monotonic() - began,
    }


def lines(result: dict[str, Any]) -> list[str]:
    """The rows for people."""
    head = "Regions; CPU of the user's own cloud for a request, divided by that of the same request under X-Scope"
    shown = [
        f"{head}; {result['rounds']} rounds, medians (quartiles); load average {result['load_average']:.1f}, {result['seconds']:.0f} s:"
    ]
    for row in result["rows"]:
        verdict = {True: "holds", False: "MISSED", None: ""}[row["holds"]]
        shown.append(f"  {row['what']:58} {row['goal']:12} {verdict:7} {row['measured']}")
    return shown


def _paths(rounds: int) -> list[Row]:
    """A request by a region's path beside the same under X-Scope: a list, which gateways serve, and image data, which HAProxy does."""
    with Front(log=False) as front:
        _bind(front, {"V1": False, "V2": True})
        rows = []
        data = image(_SMALL)
        for path, scoped, of, processes in (
            (PATH, front.entry, "a list", front.home),
            (data, front.data, "image data of 1 KB", (front.home[0],)),
        ):
            kind = "image" if path == data else "compute"
            for region, who in (("V1", "ids as they are"), ("V2", "pseudonyms")):
                target = f"/scope/{region}/{kind}{path}"
                variant = Variant(f"{of}, {who}", front.clouds["CloudOne"].ports["identity"], processes, path=target)
                _ready(variant)
                before = front.seen()
                rows.append(_beside(variant, scoped, rounds))
                if path == data:
                    rows.append(Row("  of these the gateway served", "", f"{front.seen() - before:.0f}"))
        return rows


def _scale() -> list[Row]:
    """Many regions bound at one aggregator: what its gateway and HAProxy hold, and how long one more takes to be served."""
    with Front(log=False) as front:
        names = {f"V{number}": True for number in range(_MANY + 1)}
        first = dict(list(names.items())[:1])
        _bind(front, first)
        _served(front, "V0")
        haproxy, gateway = front.home
        before = gateway.memory(), haproxy.memory()
        whole = dict(list(names.items())[:_MANY])
        all_at_once = _bind(front, whole) + _served(front, f"V{_MANY - 1}")
        after = gateway.memory(), haproxy.memory()
        one_more = _bind(front, names) + _served(front, f"V{_MANY}")
        growth = " and ".join(f"{(mine - other) / 2**20:.1f}" for mine, other in zip(after, before, strict=True))
        return [
            Row(f"{_MANY} regions: gateway and HAProxy grow, MiB", "", growth),
            Row("  written and served, all at once, s", "", f"{all_at_once:.2f}"),
            Row("  one more, written and served, s", "", f"{one_more:.2f}"),
        ]


def _served(front: Front, region: str) -> float:
    """Seconds until the gateway serves a region."""
    began = time.monotonic()
    _ready(
        Variant(region, front.clouds["CloudOne"].ports["identity"], path=f"/scope/{region}/image{image(_SMALL)}"), 0.02
    )
    return time.monotonic() - began


def _bind(front: Front, regions: dict[str, bool]) -> float:
    """Contracts about regions of CloudTwo's, as control planes write them; name -> whether under pseudonyms. Seconds of the user's cloud."""
    one, two = (Store(f"sqlite:///{front.database(cloud)}") for cloud in ("CloudOne", "CloudTwo"))
    grants = {
        name: Grant(services=("compute", "image"), projects=Projects("each", "default"), pseudonyms=hidden)
        for name, hidden in regions.items()
    }
    ids = {name: hashlib.sha256(name.encode()).hexdigest()[:32] for name in regions}
    consumer, provider, active = ContractSide.CONSUMER, ContractSide.PROVIDER, GrantState.ACTIVE
    two.contracts.replace(
        lambda: [ContractGrant(ids[name], "CloudOne", provider, active, grants[name]) for name in regions]
    )
    began = time.monotonic()
    one.contracts.replace(
        lambda: [ContractGrant(ids[name], "CloudTwo", consumer, active, grants[name], name) for name in regions]
    )
    took = time.monotonic() - began
    for store in (one, two):
        store.close()
    return took


def _ready(variant: Variant, seconds: float = 0.5) -> None:
    """Until the gateways have read the contracts, and have met all users."""
    end = time.monotonic() + 30
    while True:
        try:
            load(variant, "full", seconds=seconds)
        except SystemExit:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _beside(variant: Variant, scoped: Variant, rounds: int) -> Row:
    pairs: list[tuple[Turn, Turn]] = []
    for _ in range(rounds):
        found = turns((scoped, variant), count=_TURNS, seconds=_TURN)
        pairs += zip(found[scoped.name], found[variant.name], strict=True)
    low, middle, high = compared([mine.cpu for _, mine in pairs], [other.cpu for other, _ in pairs])
    other, mine = (statistics.median(turn.cpu for turn in each) for each in zip(*pairs, strict=True))
    figure = f"{middle:.3f} ({low:.2f} to {high:.2f}); {mine:.1f} us, X-Scope {other:.1f} us"
    return Row(variant.name, f"<= {_GOAL}", figure, middle <= _GOAL)
