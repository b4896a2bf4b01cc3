"""A Redis of a test's own, on a Unix socket."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import redis as redis_client


class RedisServer:
    """A Redis on a Unix socket in a folder of its own, that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder}/redis.sock"

    def start(self) -> None:
        program = shutil.which("redis-server") or "/usr/bin/redis-server"
        options = ["--port", "0", "--unixsocket", f"{self._folder}/redis.sock", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [program, *options, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < end, "redis-server does not answer"
            time.sleep(0.01)

    def _answers(self) -> bool:
        client = redis_client.Redis.from_url(self.url)
        with contextlib.suppress(redis_client.RedisError), contextlib.closing(client):
            return bool(client.ping())
        return False

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="oaktree-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
