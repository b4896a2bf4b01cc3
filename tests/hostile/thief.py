"""Where tokens must never arrive, as a program: it records each byte that comes, and answers each head with 200 and JSON.

python -m tests.hostile.thief --port 12346 --record thief.jsonl
"""

import argparse
import json
import socket
import threading
from pathlib import Path

from tests.gateway.wire import reply

_LOCK = threading.Lock()


def _serve(connection: socket.socket, record: Path) -> None:
    connection.settimeout(5)
    head = b""
    try:
        with connection:
            while came := connection.recv(65_536):
                with _LOCK, record.open("a") as file:
                    file.write(json.dumps(came.decode("latin-1")) + "\n")
                head += came
                if b"\r\n\r\n" in head:
                    head = b""
                    connection.sendall(reply(200, {"thief": True}))
    except OSError:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", type=Path, required=True)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, options.record), daemon=True).start()


if __name__ == "__main__":
    main()
