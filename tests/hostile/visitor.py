"""A malicious visitor as a program: raw bytes to any address, on as many connections at once as it likes.

    python -m tests.hostile.visitor

Each line of its input is one attack, and each line of its output what came back:

    {"to": "http://127.0.0.1:5000", "pieces": ["GET / HTTP/1.1\\r\\n...", "..."], "every": 0, "count": 1, "read": 10}
    {"answers": [{"bytes": "HTTP/1.1 401 ...", "seconds": 0.004, "ended": true}, ...]}

Bytes are Latin-1; `every` are the seconds between pieces, `count` the connections, `read` the seconds without a byte after which it stops
reading. `ended` says that the other side closed.
"""

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit


def attack(to: str, pieces: list[str], every: float, read: float) -> dict[str, Any]:
    parts = urlsplit(to)
    got, ended, began = b"", False, time.monotonic()
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=read) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(every)
                connection.sendall(piece.encode("latin-1"))
            while came := connection.recv(65_536):
                got += came
            ended = True
    except TimeoutError:
        pass
    except OSError:
        ended = True
    return {"bytes": got.decode("latin-1"), "seconds": time.monotonic() - began, "ended": ended}


def main() -> None:
    for line in sys.stdin:
        given = json.loads(line)
        count = given.pop("count")
        with ThreadPoolExecutor(count) as pool:
            running = [pool.submit(attack, **given) for _ in range(count)]
            answers = [each.result() for each in running]
        print(json.dumps({"answers": answers}), flush=True)


if __name__ == "__main__":
    main()
