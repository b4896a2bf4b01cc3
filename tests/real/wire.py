"""Recording proxies: what stands on the wire between a gateway and its neighbours, in plain bytes."""

import asyncio
import re
import ssl
import threading
from pathlib import Path

Address = tuple[str, int]
PIECE = 1 << 16
_CHUNK = re.compile(rb"\r\n[0-9a-fA-F]{1,8}\r\n")


class Tape:
    """Everything that was said on some connections: one flow for each of them and direction."""

    def __init__(self) -> None:
        self._flows: list[bytearray] = []

    def flow(self) -> bytearray:
        self._flows.append(bytearray())
        return self._flows[-1]

    def __bytes__(self) -> bytes:
        """As it came, then without the framing of chunks, which could cut a word in two."""
        whole = b"\n".join(bytes(flow) for flow in self._flows)
        return whole + b"\n" + _CHUNK.sub(b"", whole)


class Recorder:
    """Any number of proxies, in one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def record(self, tape: Tape, listen: Address, forward: Address, tls: tuple[Path, Path] | None = None) -> None:
        """Stand before a server.

        Args:
            tape: where its bytes are kept.
            listen: where clients believe that the server is.
            forward: where it is.
            tls: certificate and key, for a server that speaks TLS; the tape has what is inside.
        """
        ours = theirs = None
        if tls:
            ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            ours.load_cert_chain(*tls)
            theirs = ssl.create_default_context()
            theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                far_reader, far_writer = await asyncio.open_connection(*forward, ssl=theirs)
            except OSError:
                writer.close()
                return
            there, back = tape.flow(), tape.flow()
            await asyncio.gather(_pump(reader, far_writer, there), _pump(far_reader, writer, back))

        async def serve() -> None:
            self._servers.append(await asyncio.start_server(meet, *listen, ssl=ours))

        asyncio.run_coroutine_threadsafe(serve(), self._loop).result(30)

    def close(self) -> None:
        """Let go of every address: whoever stood behind a proxy can have it back."""

        async def end() -> None:
            for server in self._servers:
                server.close()
            under_way = asyncio.all_tasks() - {asyncio.current_task()}
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: bytearray) -> None:
    try:
        while piece := await reader.read(PIECE):
            flow += piece
            writer.write(piece)
            await writer.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        writer.close()
