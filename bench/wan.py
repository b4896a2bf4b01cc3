"""A wide-area network on one machine: what goes through it arrives later.

python -m bench.wan SECONDS LISTEN:TARGET...     half of SECONDS each way, and all of it for a new connection's handshake
"""

import asyncio
import sys
from functools import partial

import uvloop

_PIECE = 1 << 16


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, ready: float) -> None:
    """One direction of one connection; nothing arrives out of order, and the end arrives last."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                return writer.close()
            writer.write(data)

    delivering = asyncio.create_task(deliver())
    try:
        while data := await reader.read(_PIECE):
            under_way.put_nowait((max(loop.time(), ready) + delay, data))
    except ConnectionError:
        pass
    under_way.put_nowait((loop.time() + delay, b""))
    await delivering


async def _connected(delay: float, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # The kernel has shaken hands already; over a WAN, nobody could send before the answer is back.
    ready = asyncio.get_running_loop().time() + 2 * delay
    there, back = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_carry(reader, back, delay, ready), _carry(there, writer, delay, 0))


async def _serve(delay: float, pairs: list[tuple[int, int]]) -> None:
    for listen, target in pairs:
        await asyncio.start_server(partial(_connected, delay, target), "127.0.0.1", listen)
    await asyncio.Event().wait()


if __name__ == "__main__":
    ports = [each.split(":") for each in sys.argv[2:]]
    uvloop.run(_serve(float(sys.argv[1]) / 2, [(int(listen), int(target)) for listen, target in ports]))
