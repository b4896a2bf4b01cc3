"""A cloud at the wire with Keystone and Nova, whose servers a test changes as it likes; it counts what it is asked."""

import contextlib
import itertools
import re
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from tests.oaktree.keystone import PROJECT, Keystone
from tests.oaktree.upstream import Seen, reply


class Nova(Keystone):
    """Servers, to list and to read.

    Attributes:
        servers: id -> JSON, as Nova shows it.
        faults: answers that the next questions for servers get instead.
        hidden: ids that lists leave out, as one that lags does.
        forbidden: ends of paths that are answered 403.
        rubbish: bodies that the next questions for servers get instead, with 200.
        broken: connections end without an answer.
    """

    def __init__(self, *, page: int = 1000) -> None:
        self.servers: dict[str, dict[str, Any]] = {}
        self.faults: list[int] = []
        self.hidden: set[str] = set()
        self.forbidden: set[str] = set()
        self.rubbish: list[bytes] = []
        self.broken = False
        self._page = page
        self._lock = threading.Lock()
        self._count = itertools.count(1)
        super().__init__({"compute": "/compute/v2.1"})

    @property
    def asked(self) -> list[str]:
        """The questions for servers, in their order."""
        return [each.target for each in self.seen if "/servers" in each.target]

    @property
    def lists(self) -> int:
        return sum(1 for each in self.asked if "/servers/detail" in each)

    def boot(self, name: str = "", status: str = "BUILD", **more: Any) -> str:
        """A new server; returns its id."""
        number = next(self._count)
        server_id = str(uuid.UUID(int=number))
        server = {
            "id": server_id,
            "name": name or f"server-{number}",
            "status": status,
            "tenant_id": PROJECT,
            "metadata": {},
            "OS-EXT-AZ:availability_zone": "nova",
            "created": "2026-01-01T00:00:00Z",
            "updated": "2026-01-01T00:00:00Z",
            "addresses": {},
            "progress": 0,
            **more,
        }
        with self._lock:
            self.servers[server_id] = server
        return server_id

    def change(self, server_id: str, **more: Any) -> None:
        with self._lock:
            self.servers[server_id] = self.servers[server_id] | more

    def delete(self, server_id: str) -> None:
        with self._lock:
            del self.servers[server_id]

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        if self.broken:
            return None
        if self.faults:
            return reply(self.faults.pop(0), {"error": {"message": "as the test wants it"}})
        if self.rubbish:
            return reply(200, self.rubbish.pop(0), {"Content-Type": "application/json"})
        if any(path.endswith(each) for each in self.forbidden):
            return reply(403, {"forbidden": {"code": 403, "message": "Policy does not allow it."}})
        with self._lock:
            return self._servers(seen.target)

    def _servers(self, target: str) -> bytes:
        if "/servers/detail" in target:
            marker = re.search(r"marker=([0-9a-f-]+)", target)
            shown = [each for name, each in sorted(self.servers.items()) if name not in self.hidden]
            if marker:
                shown = [each for each in shown if each["id"] > marker[1]]
            body: dict[str, Any] = {"servers": shown[: self._page]}
            if len(shown) > self._page:
                last = shown[self._page - 1]["id"]
                body["servers_links"] = [
                    {"rel": "next", "href": f"{self.url}/compute/v2.1/servers/detail?marker={last}"}
                ]
            return reply(200, body)
        server = self.servers.get(target.rpartition("/")[2].partition("?")[0])
        if server is None:
            return reply(404, {"itemNotFound": {"code": 404, "message": "Instance could not be found."}})
        return reply(200, {"server": server})


@contextlib.contextmanager
def nova(**options: Any) -> Iterator[Nova]:
    with contextlib.closing(Nova(**options)) as made:
        yield made
