"""A worker of the test of rates: sends requests through a gate from several threads until it is told to stop."""

import json
import sys
import threading
import time

from openstackoid.oaktree.upstream.breaker import Breaker
from openstackoid.oaktree.upstream.limits import RedisLimiter
from openstackoid.oaktree.upstream.shared import Shared
from openstackoid.oaktree.upstream.transport import Gate, session


def main() -> None:
    given = json.loads(sys.argv[1])
    limiter = RedisLimiter(Shared.at(given["redis"]), given["rate"], given["burst"], workers=given["workers"])
    through = session(Gate("one", "R", Breaker("one", "R"), limiter))
    end = time.monotonic() + given["seconds"]

    def ask() -> None:
        while time.monotonic() < end:
            through.get(given["url"])

    threads = [threading.Thread(target=ask) for _ in range(given["threads"])]
    sys.stdin.readline()
    for each in threads:
        each.start()
    for each in threads:
        each.join()


if __name__ == "__main__":
    main()
