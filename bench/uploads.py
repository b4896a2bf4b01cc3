"""One upload of an image to three clouds, beside an upload to each of them alone: `python -m bench --only uploads`.

The clouds take data at rates of their own (`bench.far_images`); the client sends as fast as the gateway takes it. In turns: each cloud alone,
then all three in one request. And all three while the last one takes nothing: the others finish, `timeouts.idle` later at most.
"""

import hashlib
import http.client
import json
import os
import statistics
import time
from typing import Any, Final

from bench import clouds
from bench.clouds import ports
from bench.rows import Row
from bench.stage import TOKENS, Process, Scene, Watch
from bench.upstream import address
from openstackoid.trust import key_files

RATES: Final = (40.0, 30.0, 20.0)  # MiB/s
SIZE: Final = 64  # MiB
IDLE: Final = 5  # seconds
_GOAL: Final = 1.2
_MEMORY: Final = 16 << 20
_PIECE: Final = os.urandom(1 << 20)
_DIGEST: Final = hashlib.sha512(_PIECE * SIZE).hexdigest()


def measured(rounds: int) -> dict[str, Any]:
    """All rows."""
    with _Scene(RATES) as scene:
        rows = scene.beside(max(3, rounds))
    with _Scene((*RATES[:2], 0.0)) as scene:
        rows.append(scene.stopped())
    return {"rows": rows, "load": os.getloadavg()[0]}


def lines(result: dict[str, Any]) -> list[str]:
    """The rows for people."""
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    head = f"One upload of {SIZE} MiB to three clouds that take {rates} MiB/s; load average {result['load']:.1f}:"
    verdicts = {True: "holds", False: "MISSED", None: ""}
    return [
        head,
        *(f"  {row.what:52} {row.goal:14} {verdicts[row.holds]:7} {row.measured}" for row in result["rows"]),
    ]


class _Scene(Scene):
    """Three image services, and the gateway of the first cloud."""

    def __init__(self, rates: tuple[float, ...]) -> None:
        self._rates = rates
        self._names = [f"Cloud{number}" for number in range(len(rates))]

    def begin(self) -> None:
        """Start all of it."""
        far, self._front, identity = ports(3)
        self._far = far
        rates = [str(rate) for rate in self._rates]
        self.start("images", far, "bench.far_images", str(far), *rates).wait()
        peers = {name: f"http://{address(number)}:{far}" for number, name in enumerate(self._names) if number}
        fronts = {"image": self._front, "identity": identity}
        config = clouds.shared(self._names[0], fronts, dict.fromkeys(fronts, far), peers)
        for peer in config["peers"].values():
            peer["services"] = {"image": peer["url"]}
        key_files.create(self.folder / "keys.json")
        database = f"sqlite:///{self.folder}/operations.sqlite"
        config["operations"] = {"database": database, "keys": str(self.folder / "keys.json")}
        config["timeouts"] = {"idle": IDLE}
        self.gateway_process: Process = self.gateway(config)
        self.gateway_process.wait()

    def beside(self, rounds: int) -> list[Row]:
        """Each alone and all together, in turns."""
        alone: dict[str, list[float]] = {name: [] for name in self._names}
        together: list[float] = []
        watch = Watch((self.gateway_process,))
        for _ in range(rounds):
            for name, times in alone.items():
                times.append(self._upload(name, self._image(" & ".join(self._names))))
            image = self._image(" & ".join(self._names))
            with watch.running():
                together.append(self._upload(" & ".join(self._names), image))
            self._verify(image, range(len(self._names)))
        slowest = max(statistics.median(times) for times in alone.values())
        ratio = statistics.median(together) / slowest
        singles = ", ".join(f"{statistics.median(times):.2f}" for times in alone.values())
        rates = f"{statistics.median(together):.2f} s, {ratio:.2f} times the slowest; alone {singles} s"
        return [
            Row("all three, seconds", f"<= {_GOAL} x slowest", rates, ratio <= _GOAL),
            Row(
                "growth of the gateway's memory meanwhile",
                f"<= {_MEMORY >> 20} MiB",
                f"{watch.growth / (1 << 20):.1f} MiB",
                watch.growth <= _MEMORY,
            ),
        ]

    def stopped(self) -> Row:
        """All three, while the last one takes nothing."""
        image = self._image(" & ".join(self._names))
        took = self._upload(" & ".join(self._names), image, {"X-Scope-On-Failure": "keep"})
        self._verify(image, range(len(self._names) - 1))
        limit = SIZE / self._rates[1] * _GOAL + IDLE
        return Row("one takes nothing: until the others have all", f"<= {limit:.1f} s", f"{took:.2f} s", took <= limit)

    def _image(self, scope: str) -> str:
        body = json.dumps({"name": "measured", "disk_format": "raw", "container_format": "bare"})
        _, answer = self._ask("POST", "/v2/images", scope, body, {"Content-Type": "application/json"})
        return str(json.loads(answer)["id"])

    def _upload(self, scope: str, image: str, more: dict[str, str] | None = None) -> float:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(SIZE << 20), **(more or {})}
        began = time.perf_counter()
        pieces = (_PIECE for _ in range(SIZE))
        self._ask("PUT", f"/v2/images/{image}/file", scope, pieces, headers)
        return time.perf_counter() - began

    def _verify(self, image: str, numbers: range) -> None:
        for number in numbers:
            connection = http.client.HTTPConnection(address(number) if number else "127.0.0.1", self._far, timeout=60)
            connection.request("GET", f"/v2/images/{image}")
            digest = json.loads(connection.getresponse().read())["os_hash_value"]
            connection.close()
            if digest != _DIGEST:
                raise SystemExit(f"bench: Cloud{number} has other data")

    def _ask(self, method: str, path: str, scope: str, body: Any, more: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._front, timeout=120)
        headers = {"X-Auth-Token": TOKENS[0], "X-Scope": json.dumps({"image": scope}), **more}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise SystemExit(f"bench: {method} {path} was answered {answer.status}: {read[:500]!r}")
        return answer.status, read
