"""The fast path: what the rendered HAProxy costs beside a plain one. `make bench` has it as its last section; `--only fast` does it alone.

A figure of CPU is that of plain HAProxy divided by the variant's in the same round: 1 is the limit. HAProxy's processes alone are
counted, each with one thread; what a gateway taught is used, so gateways have no part but where they are named: in all that another owner's
cloud answers but image data.
"""

import os
import statistics
import time
from typing import Any, Final

from bench import cores, many
from bench.beside import Turn, compared, turns
from bench.front import Front, changed
from bench.haproxies import configure
from bench.rows import Row, lasting
from bench.stage import HEADERS, TOKENS, Watch, load
from openstackoid.haproxy.plan import TOKENS as TOKENS_MAP

_RELOADS: Final = 10
_LEAST: Final = 100_000
_RATE: Final = 2000
_TURN: Final = 0.2  # seconds of each way, for each round _TURNS times
_TURNS: Final = 8
# CPU is compared in shorter turns, since the machine's other work comes and goes, and with many workers, since two that run the same
# configuration differ by as much as 0.03 for as long as they live.
_SHORT: Final = 0.05
_MORE: Final = 12
_WORKERS: Final = 3  # of each HAProxy, a round
_SIZE: Final = 15_000
_GIB: Final = 1 << 30
# As in tests/core/test_scope.py.
HOSTILE: Final = {
    "unfinished string of escapes": '{"' + '\\"' * (_SIZE // 2),
    "string of escapes": '{"image":"' + '\\"' * (_SIZE // 2) + '"}',
    "quotes": "{" + '"' * _SIZE,
    "spaces": '{"image":"a' + " " * _SIZE + '"}',
    "around in around": '{"image":"' + "around(a" * (_SIZE // 8) + '"}',
    "brackets": '{"image":"' + "(" * _SIZE + '"}',
    "services": "{" + ",".join(f'"a{n}":"b"' for n in range(_SIZE // 11)) + "}",
}


@cores.apart()
def measured(rounds: int) -> dict[str, Any]:
    """All rows."""
    began = time.monotonic()
    with Front(log=False) as front:
        rows = [*_cpu(front, rounds), *_by_gateways(front, rounds), _forgotten(front), _latency(front, rounds)]
        rows += many.measured(rounds)
        rows += [_reloads(front), _hostile(front), *_download(front)]
    with Front(log=True) as front:
        rows += [_told(row, "with a line a request: ") for row in _cpu(front, 1, goals=False)]
    return {
        "rows": [vars(row) for row in rows],
        "rounds": rounds,
        "seconds": time.monotonic() - began,
        "load_average": os.getloadavg()[0],
    }


def lines(result: dict[str, Any]) -> list[str]:
    """The rows for people."""
    shown = [
        (
            f"Fast path (HAProxy, one thread, 50 connections, 1 KB answers); plain HAProxy in the same run is 1; {result['rounds']} rounds "
            f"in turns, medians (quartiles); load average {result['load_average']:.1f}, {result['seconds']:.0f} s:"
        )
    ]
    for row in result["rows"]:
        verdict = {True: "holds", False: "MISSED", None: ""}[row["holds"]]
        shown.append(f"  {row['what']:58} {row['goal']:12} {verdict:7} {row['measured']}")
    return shown


def _told(row: Row, head: str) -> Row:
    return Row(head + row.what, row.goal, row.measured, row.holds)


def _cpu(front: Front, rounds: int, *, goals: bool = True) -> list[Row]:
    """CPU a request: each way beside its baseline, in short turns."""
    goal_of = (
        (front.none, front.plain, 0.95),
        (front.header, front.plain, 0.85),
        (front.apart, front.plain, 0.85),
        (front.token, front.plain, 0.75),
        (front.data, front.plain_data, 0.75),
        (front.by_nova, front.plain_data, 0.75),
    )
    variants = [each for each, _, _ in goal_of]
    cpu: dict[str, list[tuple[Turn, Turn]]] = {each.name: [] for each in variants}
    total, by_gateway = 0, 0.0
    for _ in range(rounds * _WORKERS):
        front.renew()
        turns(variants, count=2, seconds=_SHORT)  # the new ones learn
        before = front.seen()
        for variant, base, _ in goal_of:
            # Two at a time, so that both have as many clients, and as much rest.
            found = turns((base, variant), count=_MORE, seconds=_SHORT)
            cpu[variant.name] += zip(found[base.name], found[variant.name], strict=True)
        by_gateway += front.seen() - before
    rows = []
    for variant, _, goal in goal_of:
        pairs = cpu[variant.name]
        total += sum(mine.requests for _, mine in pairs)
        low, middle, high = compared([other.cpu for other, _ in pairs], [mine.cpu for _, mine in pairs])
        other, mine = (statistics.median(turn.cpu for turn in each) for each in zip(*pairs, strict=True))
        figure = f"{middle:.3f} ({low:.2f} to {high:.2f}); {mine:.1f} us, plain {other:.1f} us"
        rows.append(Row(variant.name, f">= {goal}" if goals else "", figure, middle >= goal if goals else None))
    rows.append(Row("requests of these that the gateway served", "", f"{by_gateway / total:.3%} of {total}"))
    return rows


def _by_gateways(front: Front, rounds: int) -> list[Row]:
    """CPU a request where another owner's answer is looked at, of HAProxies and gateways."""
    rows = []
    for variant in (front.entry, front.all):
        pairs: list[tuple[Turn, Turn]] = []
        for _ in range(rounds):
            found = turns((front.plain_tls, variant), count=_TURNS, seconds=_TURN)
            pairs += zip(found[front.plain_tls.name], found[variant.name], strict=True)
        low, middle, high = compared([other.cpu for other, _ in pairs], [mine.cpu for _, mine in pairs])
        other, mine = (statistics.median(turn.cpu for turn in each) for each in zip(*pairs, strict=True))
        figure = f"{middle:.3f} ({low:.2f} to {high:.2f}); {mine:.1f} us, plain {other:.1f} us"
        rows.append(Row(variant.name, "", figure))
    return rows


def _forgotten(front: Front) -> Row:
    """What the gateway has to do when all learned tokens end at once, as when it starts, under full load."""
    haproxy = front.home[0]
    before, began = front.seen(), time.monotonic()
    haproxy.tell(f"clear map {haproxy.folder / TOKENS_MAP}")
    run = load(front.data, "full", seconds=3)
    served = front.seen() - before
    figure = f"{served:.0f} of {run['requests']} in {time.monotonic() - began:.1f} s, for {len(TOKENS)} tokens"
    return Row("all learned tokens end under full load: the gateway serves", "", figure)


def _latency(front: Front, rounds: int) -> Row:
    """Milliseconds beyond plain HAProxy's, turn by turn; the worst of four."""
    variants = (front.plain, front.none, front.header, front.apart, front.token)
    # Plain HAProxy need not get the same bytes: with X-Scope or a longer token it takes 0.002 ms more at most.
    found = turns(variants, rate=_RATE, count=_TURNS * rounds, seconds=_TURN)
    medians = {name: [statistics.median(turn.latencies) * 1000 for turn in each] for name, each in found.items()}
    plain = medians.pop(front.plain.name)
    added = {
        name: statistics.median(mine - other for mine, other in zip(each, plain, strict=True))
        for name, each in medians.items()
    }
    figure = ", ".join(f"{name} {each:+.3f}" for name, each in added.items())
    return Row(
        f"added p50 at {_RATE} requests/s, ms",
        "<= 0.03",
        f"{figure}; plain {statistics.median(plain):.3f}",
        max(added.values()) <= 0.03,
    )


def _reloads(front: Front) -> Row:
    """`openstackoid haproxy apply` of a configuration that has changed, again and again."""
    times = []

    def act() -> None:
        time.sleep(1)
        for number in range(_RELOADS):
            changed(front.configuration, timeouts={"idle": 60 + number % 2 + 1})
            began = time.monotonic()
            configure(front.configuration, "apply")
            times.append(time.monotonic() - began)

    before = front.home[0].worker()
    mixed = (front.none, front.header, front.apart, front.token)
    asked = [
        [*HEADERS.items(), *each.headers.items(), ("X-Auth-Token", token)]
        for tokens in zip(*(each.tokens[: len(TOKENS)] for each in mixed), strict=True)
        for each, token in zip(mixed, tokens, strict=True)
    ]
    found = lasting(front.none.port, asked, act, busy=50, idle=50, least=_LEAST, expected=200)
    if front.home[0].worker() == before:
        raise SystemExit("bench: HAProxy was not reloaded")
    why = f" {found['failures']}" if found["failed"] else ""
    figure = (
        f"{found['failed']} of {found['answered'] + found['failed']} failed, {found['connections']} connections{why}; "
        f"{statistics.median(times):.1f} s an apply"
    )
    return Row(f"{_RELOADS} reloads, 50 busy and 50 idle clients", f"0 of {_LEAST}", figure, found["failed"] == 0)


def _hostile(front: Front) -> Row:
    """CPU of HAProxy and gateway for a scope that tries to cost."""
    costs = {}
    for name, text in HOSTILE.items():
        watch = Watch(front.home)
        asked = [[("X-Auth-Token", TOKENS[0]), ("X-Scope", text)]]
        with watch.running():
            found = lasting(front.none.port, asked, lambda: None, busy=8, idle=0, least=3000, expected=400)
        if found["failed"]:
            raise SystemExit(f"bench: a hostile scope ({name}) was not refused with 400: {found['failures']}")
        costs[name] = watch.cpu / found["answered"] * 1000
    worst = max(costs, key=lambda name: costs[name])
    figure = f"{costs[worst]:.3f} ({worst}); the others {min(costs.values()):.3f} and more"
    return Row("hostile scope of 15 KB, HAProxy and gateway, ms", "<= 0.1", figure, costs[worst] <= 0.1)


def _download(front: Front) -> list[Row]:
    """1 GiB from the other cloud, in turns: medians, since a learned token may end, and then the gateways pass one on."""
    each: dict[str, list[list[float]]] = {}
    load(front.both, "full", seconds=0.5)  # reloads have made HAProxy forget
    time.sleep(0.5)
    for _ in range(3):
        for variant in (front.both_plain, front.both):
            watch = Watch(variant.processes)
            with watch.running():
                load(variant, "download", connections=1, bytes=_GIB)
            each.setdefault(variant.name, []).append(watch.each)
    plain = statistics.median(sum(turn) for turn in each[front.both_plain.name])
    parts = [statistics.median(turns) for turns in zip(*each[front.both.name], strict=True)]
    proxies, everything = sum(parts[:2]), sum(parts)
    seconds = f"plain {plain:.2f} s"
    what = "1 GiB across both clouds"
    return [
        Row(
            f"{what}, CPU of the HAProxies",
            "<= 1.2",
            f"{proxies / plain:.2f}; {proxies:.2f} s, {seconds}",
            proxies <= 1.2 * plain,
        ),
        Row(
            f"{what}, CPU of all",
            "<= 1.2",
            f"{everything / plain:.2f}; {everything:.2f} s, of it gateways {parts[2]:.2f} and {parts[3]:.2f}; {seconds}",
            everything <= 1.2 * plain,
        ),
    ]
