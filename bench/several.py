"""Lists of several clouds through one gateway, beside the ways that users have without it; `make bench` has it, `--only several` does it alone.

Each cloud is 20 ms away and has 100 servers of 1 KB (`bench.far_lists`). In turns, all over connections that are open already but curl's:

    gateway     one GET with the scope {"compute": "*"}: merged, sorted
    serial      openstacksdk, one cloud after the other
    pool        openstacksdk in 32 threads
    curl        `curl --parallel`: the answers alone, nothing made of them

Serial and pool take seconds for a hundred clouds, the others a tenth of one: those are taken more often in each round, for a median of more than a
few values.

And what a list of a thousand clouds does to others: memory of the gateway, and the latency of plain requests beside it.
"""

import http.client
import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from openstack.connection import Connection

from bench import clouds
from bench.clouds import ports
from bench.rows import Row
from bench.stage import TOKENS, Process, Scene, Variant, Watch, load
from bench.upstream import address

MS: Final = 20.0
ITEMS: Final = 100
NUMBERS: Final = (2, 10, 100)
_MANY: Final = 1000
_LARGER: Final = 400  # servers of a cloud, for what memory does not grow with
_QUICK: Final = 5  # turns in a round of what takes no second
_GOALS: Final = {2: 10.0, 10: 10.0, 100: 60.0}  # milliseconds more than the slowest cloud
_PATH: Final = "/v2.1/servers/detail"
_THREADS: Final = 32
_RATE: Final = 50
_PATIENCE: Final = 60


def measured(rounds: int) -> dict[str, Any]:
    """All rows."""
    rows: list[Row] = []
    for number in NUMBERS:
        with _Scene(number) as scene:
            rows += scene.lists(max(3, rounds))
    with _Scene(_MANY) as scene:
        rows += scene.many()
    with _Scene(_MANY, _LARGER) as scene:
        rows += scene.larger()
    return {"rows": rows, "load": os.getloadavg()[0]}


def lines(result: dict[str, Any]) -> list[str]:
    """The rows for people."""
    head = (
        f"Lists of several clouds, each {MS:g} ms away with {ITEMS} servers of 1 KB; load average {result['load']:.1f}:"
    )
    verdicts = {True: "holds", False: "MISSED", None: ""}
    return [
        head,
        *(f"  {row.what:52} {row.goal:14} {verdicts[row.holds]:7} {row.measured}" for row in result["rows"]),
    ]


class _Scene(Scene):
    """So many clouds with so many servers each, and a gateway that has them as peers."""

    def __init__(self, number: int, items: int = ITEMS) -> None:
        self._number = number
        self._items = items

    def begin(self) -> None:
        """Start all of it."""
        self._upstream, self._near, self._front = ports(3)
        self._far = self.start(
            "clouds",
            self._upstream,
            "bench.far_lists",
            str(self._upstream),
            str(self._number),
            str(MS),
            str(self._items),
        )
        self._far.wait()
        # The entry's own service, in a process of its own: plain requests must not wait for the others' answers there.
        near = self.start("near", self._near, "bench.far_lists", str(self._near), "1", str(MS), str(self._items))
        near.wait()
        peers = {f"Cloud{number}": f"http://{address(number)}:{self._upstream}" for number in range(1, self._number)}
        config = clouds.shared("Cloud0", {"compute": self._front}, {"compute": self._near}, peers)
        for peer in config["peers"].values():
            peer["services"] = {"compute": peer["url"]}
        config["fanout"] = {"timeout": 60}
        self.gateway_process: Process = self.gateway(config)
        self.gateway_process.wait()

    def lists(self, rounds: int) -> list[Row]:
        """All ways, in turns: medians."""
        watch: list[float] = []

        def merged() -> None:
            seen = Watch((self.gateway_process,))
            with seen.running():
                self._ask()
            watch.append(seen.cpu)

        ways: dict[str, Callable[[], None]] = {
            "gateway": merged,
            "serial": self._serial(),
            "pool": self._pool(),
            "curl": self._curl,
        }
        for way in ways.values():
            way()  # connections are open then
            way()
        _whole(len(json.loads(self._ask())["servers"]), self._number)
        watch.clear()
        times: dict[str, list[float]] = {name: [] for name in ways}
        slowest: list[float] = []  # cloud of a round, when it is asked alone
        quick = {name: ways[name] for name in ("gateway", "curl")}
        for turn in range(rounds * _QUICK):
            slowest.append(self._slowest())
            for name, way in (quick if turn % _QUICK else ways).items():
                began = time.perf_counter()
                way()
                times[name].append((time.perf_counter() - began) * 1000)
        middle = {name: statistics.median(found) for name, found in times.items()}
        limit = statistics.median(slowest) + _GOALS[self._number]
        others = ", ".join(
            f"{name} {value:.0f} ms ({value / middle['gateway']:.2f})"
            for name, value in middle.items()
            if name != "gateway"
        )
        cpu = statistics.mean(watch) * 1e6 / (self._number * ITEMS)
        return [
            Row(
                f"{self._number} clouds: the whole merged list, ms",
                f"<= {limit:.0f}",
                f"{middle['gateway']:.0f}, least {min(times['gateway']):.0f}; {others}; {cpu:.0f} us of CPU an item; "
                f"the slowest cloud alone {statistics.median(slowest):.0f}",
                middle["gateway"] <= limit,
            )
        ]

    def many(self) -> list[Row]:
        """A list of all, and plain requests beside it."""
        plain = Variant("plain", self._front, (), path=_PATH + "?limit=1")
        alone = _p99(load(plain, "rate", rate=_RATE, seconds=5, connections=10)["latencies"])
        over = threading.Event()
        times: list[float] = []

        def again() -> None:
            while not over.is_set():
                began = time.perf_counter()
                self._ask()
                times.append(time.perf_counter() - began)

        watch = Watch((self.gateway_process,))
        with watch.running():
            thread = threading.Thread(target=again)
            thread.start()
            time.sleep(1)
            beside = _p99(load(plain, "rate", rate=_RATE, seconds=5, connections=10)["latencies"])
            over.set()
            thread.join()
        size = self._number * ITEMS * 1024 / 2**20
        return [
            Row(
                f"{self._number} clouds: other requests' p99 beside it, ms",
                "<= 2 x alone",
                f"{beside:.0f}, alone {alone:.0f} ({beside / alone:.1f})",
                beside <= 2 * alone,
            ),
            Row(
                f"{self._number} clouds: growth in memory, MB",
                "",
                f"{watch.growth / 2**20:.0f}, of answers of {size:.0f} MB; {statistics.median(times):.1f} s a list",
            ),
        ]

    def larger(self) -> list[Row]:
        """A list with more of each cloud."""
        watch = Watch((self.gateway_process,))
        with watch.running():
            self._ask()
        size = self._number * self._items * 1024 / 2**20
        return [
            Row(
                f"{self._number} clouds with {self._items} servers: growth in memory, MB",
                "",
                f"{watch.growth / 2**20:.0f}, of answers of {size:.0f} MB; {watch.cpu:.1f} s of CPU",
            )
        ]

    def _ask(self) -> bytes:
        """The whole merged list."""
        connection = http.client.HTTPConnection("127.0.0.1", self._front, timeout=_PATIENCE)
        try:
            connection.request("GET", _PATH, headers={"X-Auth-Token": TOKENS[0], "X-Scope": '{"compute": "*"}'})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        missing = answer.headers.get("X-Scope-Missing")
        if answer.status != http.client.OK or missing:
            raise SystemExit(f"bench: a list of {self._number} clouds: {answer.status}, missing {missing}")
        return body

    def _clouds(self) -> list[Connection]:
        """All clouds for openstacksdk, without logins."""
        urls = [f"http://{address(number)}:{self._upstream}/v2.1" for number in range(self._number)]
        return [
            Connection(
                session=Session(auth=Token(url, TOKENS[0])),
                oslo_conf=None,
                compute_endpoint_override=url,
                compute_default_microversion="2.1",
            )
            for url in urls
        ]

    def _serial(self) -> Callable[[], None]:
        known = self._clouds()
        return lambda: _whole(sum(map(_count, known)), self._number)

    def _pool(self) -> Callable[[], None]:
        known, pool = self._clouds(), ThreadPoolExecutor(_THREADS)
        return lambda: _whole(sum(pool.map(_count, known)), self._number)

    def _slowest(self) -> float:
        """Milliseconds of the slowest cloud, asked directly, one after the other."""
        times = []
        for number in range(self._number):
            connection = http.client.HTTPConnection(address(number), self._upstream, timeout=_PATIENCE)
            connection.connect()
            began = time.perf_counter()
            connection.request("GET", _PATH)
            connection.getresponse().read()
            times.append((time.perf_counter() - began) * 1000)
            connection.close()
        return max(times)

    def _curl(self) -> None:
        urls = [f"http://{address(number)}:{self._upstream}{_PATH}" for number in range(self._number)]
        command = ["curl", "-s", "-S", "--parallel", "--parallel-immediate", "--parallel-max", "300"]
        subprocess.run(
            [*command, *urls], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=_PATIENCE
        )


def _count(cloud: Connection) -> int:
    return len(list(cloud.compute.servers(paginated=False)))


def _whole(found: int, number: int) -> None:
    if found != number * ITEMS:
        raise SystemExit(f"bench: {found} servers were found of {number * ITEMS}")


def _p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98] * 1000
