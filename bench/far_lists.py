"""Nova's lists of many clouds at the wire, each some milliseconds away: one process, an address for each cloud (`bench.upstream.address`).

    python -m bench.far_lists PORT CLOUDS MS ITEMS     every cloud has a list, and a version document

Raw protocol, like `bench.upstream`: what answers must not be what is measured.
"""

import asyncio
import sys
from functools import partial
from typing import Final, cast

import orjson
import uvloop

from bench.upstream import PROJECT, address

_ITEM: Final = 1024  # bytes, as of a server that nova shows in detail


def document(cloud: int, items: int) -> bytes:
    """The servers of a cloud, newest first; those of several clouds were created in turns, and some in the same second."""
    servers = []
    for number in range(items):
        seconds = (items - number) * 7 + cloud % 7
        server = {
            "id": f"{cloud:08x}-3c5d-4e2f-9a7b-{number:012x}",
            "name": f"server-{number}",
            "status": "ACTIVE",
            "tenant_id": PROJECT,
            "created": f"2026-01-01T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z",
            "flavor": {"vcpus": 1, "ram": 512, "disk": 1},
            "addresses": {"net": [{"version": 4, "addr": f"10.0.{cloud % 250}.{number}"}]},
            "description": "",
        }
        servers.append(server | {"description": "x" * (_ITEM - len(orjson.dumps(server)))})
    return orjson.dumps({"servers": servers})


class Cloud(asyncio.Protocol):
    """One connection to one cloud. Requests have no body, and are answered late."""

    def __init__(self, listed: bytes, version: bytes, seconds: float) -> None:
        self._listed = listed
        self._version = version
        self._seconds = seconds
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        *whole, self._data = (self._data + data).split(b"\r\n\r\n")
        for head in whole:
            answer = self._listed if b"/servers/detail" in head.partition(b"\r\n")[0] else self._version
            asyncio.get_running_loop().call_later(self._seconds, self._transport.write, answer)


def _answered(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _version(host: str) -> bytes:
    links = [{"rel": "self", "href": f"http://{host}/v2.1/"}]
    version = {"id": "v2.1", "status": "CURRENT", "version": "2.90", "min_version": "2.1", "links": links}
    return orjson.dumps({"version": version})


async def _serve(port: int, clouds: int, seconds: float, items: int) -> None:
    loop = asyncio.get_running_loop()
    for number in range(clouds):
        listed, version = _answered(document(number, items)), _answered(_version(f"{address(number)}:{port}"))
        await loop.create_server(
            partial(Cloud, listed, version, seconds),
            [address(number), *(["127.0.0.1"] if not number else [])],
            port,
            backlog=256,
        )
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000, int(sys.argv[4])))
