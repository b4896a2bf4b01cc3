"""A service as fast as Python goes: raw protocol, keep-alive, one JSON document of 1 KB and a download of any size.

python -m bench.upstream PORT [MANY]   data of images (`image`), all else is the document; at MANY addresses: see `address`
"""

import asyncio
import sys
from typing import cast

import uvloop

# Whose the servers are; clouds of other owners know this project by another id, so there it is changed.
PROJECT = "22222222222222222222222222222222"
_PIECE = memoryview(bytes(1 << 18))


def document(host: bytes) -> bytes:
    """1 KB as nova and glance write it, with links built from Host."""
    servers = b", ".join(
        b'{"id": "6b8e1f0a-3c5d-4e2f-9a7b-00000000000%d", "tenant_id": "%b", "status": "ACTIVE", "links": '
        b'[{"rel": "self", "href": "http://%b/v2.1/servers/%d"}]}' % (number, PROJECT.encode(), host, number)
        for number in range(5)
    )
    head, tail = b'{"servers": [%b], "padding": "' % servers, b'"}'
    return head + b"x" * (1024 - len(head) - len(tail)) + tail


def image(size: int) -> str:
    """The path of an image's data, of so many bytes: its id says how many."""
    return f"/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-{size:012x}/file"


class Upstream(asyncio.Protocol):
    """One connection. Requests have no body; one is answered after another."""

    answers: dict[bytes, bytes] = {}  # noqa: RUF012 - shared on purpose: Host -> answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.data = b""
        self.left = 0
        self.paused = False

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head, self.data = self.data[: end + 2], self.data[end + 4 :]
            target = head.split(b" ", 2)[1]
            if target.endswith(b"/file"):
                self.left = int(target[-17:-5], 16)
                self.transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
                    % self.left
                )
                self.send()
            else:
                at = head.lower().find(b"\r\nhost:")
                host = head[at + 7 : head.index(b"\r\n", at + 7)].strip()
                if host not in self.answers:
                    body = document(host)
                    self.answers[host] = (
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                        b"X-Openstack-Request-Id: req-6b8e1f0a-3c5d-4e2f-9a7b-000000000000\r\n"
                        b"Date: Tue, 01 Jan 2030 00:00:00 GMT\r\nVary: OpenStack-API-Version\r\n\r\n%b"
                        % (len(body), body)
                    )
                self.transport.write(self.answers[host])

    def send(self) -> None:
        while self.left and not self.paused and not self.transport.is_closing():
            piece = _PIECE[: self.left]
            self.left -= len(piece)
            self.transport.write(piece)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.send()


def address(number: int) -> str:
    """One of many loopback addresses."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def _serve(port: int, many: int) -> None:
    hosts = ["127.0.0.1", *map(address, range(many))]
    server = await asyncio.get_running_loop().create_server(Upstream, hosts, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0))
