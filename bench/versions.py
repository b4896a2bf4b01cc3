"""The gateway's CPU for a list of several clouds, and for a request of one: two versions of the source, in turns, with the same clouds.

    python -m bench.versions TREE [--clouds 100] [--lists 5] [--turns 9]      TREE: a checkout of the other version

What else the machine does meanwhile it does to both. Each cloud is 20 ms away and has 100 servers of 1 KB, as in `bench.several`.
"""

import argparse
import http.client
import os
import statistics
import time
from pathlib import Path
from typing import Final

from bench import clouds
from bench.beside import compared, turns
from bench.clouds import ports
from bench.several import ITEMS, MS
from bench.stage import TOKENS, Process, Scene, Variant
from bench.upstream import address

_PATH: Final = "/v2.1/servers/detail"
_PATIENCE: Final = 60
_HERE: Final = Path(__file__).resolve().parent.parent


class _Versions(Scene):
    """The clouds, and a gateway of each version."""

    def __init__(self, trees: dict[str, Path], number: int) -> None:
        self._trees = trees
        self._number = number
        self.gateways: dict[str, Process] = {}
        self.near: dict[str, int] = {}  # ports where single requests are served

    def begin(self) -> None:
        """Start all of it."""
        upstream, single, *fronts = ports(2 + len(self._trees))
        self.start("service", single, "bench.upstream", str(single)).wait()
        far = self.start("clouds", upstream, "bench.far_lists", str(upstream), str(self._number), str(MS), str(ITEMS))
        far.wait()
        peers = {f"Cloud{number}": f"http://{address(number)}:{upstream}" for number in range(1, self._number)}
        for front, (name, tree) in zip(fronts, self._trees.items(), strict=True):
            # Lists are of the compute service, single requests of the image service: the latter is near, and not one of the clouds.
            near = ports(1)[0]
            frontends = {"compute": front, "image": near}
            config = clouds.shared("Cloud0", frontends, {"compute": upstream, "image": single}, peers)
            self.near[name] = near
            for peer in config["peers"].values():
                peer["services"] = {"compute": peer["url"]}
            config["fanout"] = {"timeout": 60}
            self.gateways[name] = self.gateway(config, tree / "src")
            self.gateways[name].wait()


class Asked:
    """One client of a gateway, which reads the list over one connection."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._client = http.client.HTTPConnection("127.0.0.1", process.port, timeout=_PATIENCE)

    def turn(self, lists: int) -> tuple[float, float]:
        """Milliseconds of CPU for one list, and of time, both as means."""
        before, began = self._process.cpu(), time.perf_counter()
        for _ in range(lists):
            self._client.request("GET", _PATH, headers={"X-Auth-Token": TOKENS[0], "X-Scope": '{"compute": "*"}'})
            answer = self._client.getresponse()
            answer.read()
            if answer.status != http.client.OK or answer.headers.get("X-Scope-Missing"):
                raise SystemExit(f"bench: a list: {answer.status}, missing {answer.headers.get('X-Scope-Missing')}")
        took = time.perf_counter() - began
        time.sleep(0.05)  # until the process sleeps: what the kernel counts of it is whole
        return (self._process.cpu() - before) * 1000 / lists, took * 1000 / lists


def main() -> None:
    """Compare, and print the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tree", type=Path)
    parser.add_argument("--clouds", type=int, default=100)
    parser.add_argument("--lists", type=int, default=5)
    parser.add_argument("--turns", type=int, default=9)
    chosen = parser.parse_args()
    with _Versions({"old": chosen.tree, "new": _HERE}, chosen.clouds) as scene:
        asked = {name: Asked(process) for name, process in scene.gateways.items()}
        cpu: dict[str, list[float]] = {name: [] for name in asked}
        wall: dict[str, list[float]] = {name: [] for name in asked}
        for one in asked.values():
            one.turn(2)  # connections are open then
        for _ in range(chosen.turns):
            for name, one in asked.items():
                used, took = one.turn(chosen.lists)
                cpu[name].append(used)
                wall[name].append(took)
        variants = [Variant(name, scene.near[name], (process,)) for name, process in scene.gateways.items()]
        single = {name: [turn.cpu for turn in found] for name, found in turns(variants, count=chosen.turns).items()}
    print(
        f"{chosen.clouds} clouds, {chosen.turns} turns of {chosen.lists} lists; load average {os.getloadavg()[0]:.1f}"
    )
    for name in asked:
        print(
            f"  {name}: {statistics.median(cpu[name]):.1f} ms of CPU a list, least {min(cpu[name]):.1f}; "
            f"{statistics.median(wall[name]):.0f} ms of time, least {min(wall[name]):.0f}"
        )
    print(f"  CPU, new divided by old: {_ratio(cpu)}")
    print("Requests without a scope for an answer of 1 KB:")
    for name, found in single.items():
        print(f"  {name}: {statistics.median(found):.0f} us of CPU each, least {min(found):.0f}")
    print(f"  CPU, new divided by old: {_ratio(single)}")


def _ratio(found: dict[str, list[float]]) -> str:
    low, middle, high = compared(found["new"], found["old"])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
