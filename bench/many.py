"""HAProxy of a cloud with a thousand peers, beside that of one with two: start, memory, CPU, and peers that change."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Final

from bench.beside import compared, turns
from bench.front import MANY_KINDS, Many
from bench.rows import Row, lasting
from bench.stage import HEADERS, load
from bench.upstream import address
from openstackoid.haproxy import maps
from openstackoid.haproxy.admin import Admin
from openstackoid.haproxy.plan import PEERS

_CLOUDS: Final = 1000
_FEW: Final = 2
_STARTS: Final = 5
_CHANGES: Final = 50
_REPLACEMENTS: Final = 10
_TURN: Final = 0.25  # seconds
_TURNS: Final = 10  # of each worker
_LEARNING: Final = 2.0  # seconds
_REST: Final = 15  # seconds: it looks at some things every few of them


def measured(rounds: int) -> list[Row]:
    """All rows with many clouds."""
    with Many(_FEW, _CLOUDS) as scene:
        rows = [_start(scene)]
        rows += _cpu(scene, rounds)
        rows += _changes(scene)
        rows.append(_gateway(scene))
    return rows


def _start(scene: Many) -> Row:
    """From the command to the worker's first answer, with the map of peers that the gateway wrote."""
    times: dict[int, list[float]] = {count: [] for count in scene.haproxies}
    plain: list[float] = []
    for _ in range(_STARTS):
        plain.append(scene.plain_again() * 1000)
        for count, found in times.items():
            found.append(scene.again(count) * 1000)
    many, few = statistics.median(times[_CLOUDS]), statistics.median(times[_FEW])
    figure = f"{many:.0f} ({min(times[_CLOUDS]):.0f} to {max(times[_CLOUDS]):.0f}); {_FEW} clouds: {few:.0f}; plain {statistics.median(plain):.0f}"
    return Row(f"{_CLOUDS} clouds, {len(MANY_KINDS)} services each: start, ms", "<= 50", figure, many <= 50)


def _cpu(scene: Many, rounds: int) -> list[Row]:
    cpu: dict[int, list[float]] = {count: [] for count in scene.variants}
    for _ in range(rounds):
        scene.renew()
        for variant in scene.variants.values():
            load(variant, "full", seconds=_LEARNING)
        found = turns(list(scene.variants.values()), count=_TURNS, seconds=_TURN)
        for count, variant in scene.variants.items():
            cpu[count] += [turn.cpu for turn in found[variant.name]]
    low, middle, high = compared(cpu[_CLOUDS], cpu[_FEW])
    memory = {count: haproxy.memory() / 1e6 for count, haproxy in scene.haproxies.items()}
    ways = len(scene.haproxies[_CLOUDS].tell(f"show map {scene.folders[_CLOUDS] / 'ways.map'}").splitlines()) - 1
    return [
        Row(
            f"{_CLOUDS} clouds: memory under load, MB",
            "<= 30",
            f"{memory[_CLOUDS]:.0f}; {_FEW} clouds: {memory[_FEW]:.0f}",
            memory[_CLOUDS] <= 30,
        ),
        Row(
            f"{_CLOUDS} clouds: CPU a request, all asked in turns ({ways} taught)",
            "<= 1.4",
            f"{middle:.2f} ({low:.2f} to {high:.2f}); {statistics.median(cpu[_CLOUDS]):.1f} us, "
            f"{_FEW} clouds {statistics.median(cpu[_FEW]):.1f} us",
            middle <= 1.4,
        ),
    ]


def _changes(scene: Many) -> list[Row]:
    """Peers change while requests to them run: nothing may fail."""
    folder, haproxy, variant = scene.folders[_CLOUDS], scene.haproxies[_CLOUDS], scene.variants[_CLOUDS]
    admin, name = Admin(folder / "admin.sock"), folder / PEERS
    kinds = len(MANY_KINDS)
    places = {count: [_places(scene.port, shift, MANY_KINDS[:count]) for shift in (0, 1)] for count in (1, kinds)}
    one: dict[int, list[float]] = {count: [] for count in places}
    all_: dict[int, list[float]] = {count: [] for count in places}

    async def change() -> None:
        # As the gateway does it (`gateway.fastpath.teacher`): few are set, many are replaced.
        for number in range(_CHANGES):
            for count, found in places.items():
                first = number * 7 % _CLOUDS * count
                entries = [(name, entry) for entry in found[number % 2][first : first + count]]
                began = time.perf_counter()
                await admin.put(*entries)
                one[count].append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(0.01)
        for number in range(_REPLACEMENTS):
            for count, found in places.items():
                began = time.perf_counter()
                await admin.replace(name, found[1 - number % 2])
                all_[count].append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(0.05)

    def act() -> None:
        time.sleep(0.5)
        asyncio.run(change())

    before = haproxy.worker()
    asked = [[*HEADERS.items(), ("X-Auth-Token", token)] for token in variant.tokens]
    found = lasting(variant.port, asked, act, busy=2, idle=0, least=1, expected=200)
    if haproxy.worker() != before:
        raise SystemExit("bench: HAProxy was started again")
    why = f" {found['failures']}" if found["failed"] else ""
    failed = f"{found['failed']} of {found['answered'] + found['failed']} requests failed{why}"
    single, every = ({count: statistics.median(times) for count, times in each.items()} for each in (one, all_))
    return [
        Row(
            "one peer changed, a service of it, ms",
            "< 1",
            f"{single[1]:.2f}, at most {max(one[1]):.2f}; all {kinds} of it: {single[kinds]:.2f}; {failed}",
            single[1] < 1 and not found["failed"],
        ),
        Row(
            f"{_CLOUDS} peers changed, a service of each, ms",
            "< 10",
            f"{every[1]:.1f}, at most {max(all_[1]):.1f}; all {kinds} of each: {every[kinds]:.1f}; the same requests",
            every[1] < 10 and not found["failed"],
        ),
    ]


def _gateway(scene: Many) -> Row:
    """What the gateway spends on knowing that nothing has changed."""
    gateways = scene.gateways
    before = {count: gateway.cpu() for count, gateway in gateways.items()}
    time.sleep(_REST)
    idle = {count: (gateway.cpu() - before[count]) / _REST for count, gateway in gateways.items()}
    return Row(
        f"{_CLOUDS} clouds: the gateway itself at rest, CPU",
        "<= 3%",
        f"{idle[_CLOUDS]:.1%} of one; {_FEW} clouds: {idle[_FEW]:.1%}",
        idle[_CLOUDS] <= 0.03,
    )


def _places(port: int, shift: int, kinds: Sequence[str]) -> list[maps.Entry]:
    """Where the peers' services are; shifted, each is where the next peer was."""
    hosts = [address(number) for number in range(_CLOUDS)]
    urls = [f"http://{hosts[(number + shift) % _CLOUDS]}:{port}" for number in range(_CLOUDS)]
    found = {f"Cloud{number}": dict.fromkeys(kinds, url) for number, url in enumerate(urls)}
    return maps.places(found, dict(zip(hosts, hosts, strict=True)), {})
