"""A worker of the test of rates: sends requests through a gate from several threads until it is told to stop."""

import json
import sys
import threading
import time

from openstackoid.oaktree.upstream.breaker import Breaker
from openstackoid.oaktree.upstream.transport import Gate, session
from openstackoid.rates.limiters import RedisLimiter
from openstackoid.rates.shared import Shared


def too_early(times: list[float], began: float, rate: float, burst: int) -> list[float]:
    """The times of requests, the first of which was sent after `began`, that are before their slots at this rate."""
    return [at for number, at in enumerate(sorted(times), 1) if number > rate * (at - began) + burst]


def main() -> None:
    given = json.loads(sys.argv[1])
    limiter = RedisLimiter(Shared.at(given["redis"]), given["rate"], given["burst"], workers=given["workers"])
    through = session(Gate("one", "R", Breaker("one", "R"), limiter))

    def ask() -> None:
        while time.monotonic() < end:
            through.get(given["url"])

    threads = [threading.Thread(target=ask) for _ in range(given["threads"])]
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + given["seconds"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


if __name__ == "__main__":
    main()
