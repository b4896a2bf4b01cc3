"""An oaktree that knows two clouds by heart, and two HTTP servers: a cloud's own API, and a host that must not see its token."""

import http.server
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import trustme
from google.rpc import status_pb2

from oaktree.v1 import cloud_pb2, cloud_pb2_grpc, common_pb2, compute_pb2, compute_pb2_grpc, image_pb2, image_pb2_grpc
from oaktree.v1.location_pb2 import Location

ONE, TWO, DEAD = (Location(cloud=name, region="RegionOne") for name in ("one", "two", "dead"))


# What they do not implement is answered so by gRPC itself.
class _Compute(compute_pb2_grpc.ComputeServiceServicer):
    def __init__(self, heard: list[tuple[str, str]]) -> None:
        self.heard = heard

    def ListServers(self, request: Any, context: Any) -> Iterator[compute_pb2.ListServersResponse]:  # noqa: N802
        self.heard += [(name, value) for name, value in context.invocation_metadata() if name.startswith("x-oaktree")]
        if request.options.query:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "options.query: malformed")
        for place in (ONE, TWO):
            server = compute_pb2.Server(location=place, name=f"web-{place.cloud}", status="ACTIVE", progress=2**53 + 1)
            server.addresses.update({"net": [{"addr": "192.0.2.1", "version": 4}]})
            yield compute_pb2.ListServersResponse(servers=[server])
        error = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="no answer")
        results = [common_pb2.CloudResult(location=DEAD, error=error)]
        yield compute_pb2.ListServersResponse(summary=common_pb2.Summary(results=results))


class _Image(image_pb2_grpc.ImageServiceServicer):
    def UploadImage(self, request_iterator: Any, _context: Any) -> Iterator[image_pb2.CreateImageResponse]:  # noqa: N802
        first = next(request_iterator)
        size = sum(len(part.data) for part in request_iterator)
        image = image_pb2.Image(name=first.create.image.name, size=size)
        yield image_pb2.CreateImageResponse(image=image)


class _Clouds(cloud_pb2_grpc.CloudServiceServicer):
    """Gives tokens that end after so many seconds, and counts them."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []  # credentials that came with its calls
        self.root_url = ""
        self.lasts = 3600
        self.given = 0
        self.fails = False

    def GetRestInfo(self, request: Any, context: Any) -> cloud_pb2.GetRestInfoResponse:  # noqa: N802
        self.heard += [(name, value) for name, value in context.invocation_metadata() if name.startswith("x-oaktree")]
        if self.fails:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the cloud does not answer")
        self.given += 1
        info = cloud_pb2.GetRestInfoResponse(root_url=self.root_url, location=request.location)
        info.headers.update(
            {"X-Auth-Token": f"token-{self.given}", "OpenStack-API-Version": f"{request.service} 2.100"}
        )
        info.expires_at.FromDatetime(datetime.now(UTC) + timedelta(seconds=self.lasts))
        return info


class Oaktree:
    """What the tests see of it.

    Attributes:
        target: its address, without TLS.
        secure: its address with TLS, for callers who have a certificate.
        authority: who signed its certificate, and may sign callers'.
        certificate: a caller's, and its key.
        socket: the path of its Unix socket.
        heard: credentials that came with calls.
        clouds: what GetRestInfo answers.
    """

    def __init__(self, folder: Path) -> None:
        self.heard: list[tuple[str, str]] = []
        self.clouds = _Clouds()  # type: ignore[abstract]
        self.socket = folder / "oaktree.sock"
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        compute = _Compute(self.heard)  # type: ignore[abstract]
        compute_pb2_grpc.add_ComputeServiceServicer_to_server(compute, self._server)
        image_pb2_grpc.add_ImageServiceServicer_to_server(_Image(), self._server)  # type: ignore[abstract]
        cloud_pb2_grpc.add_CloudServiceServicer_to_server(self.clouds, self._server)
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self.authority, self.certificate, mine = _certificates(folder)
        pairs = [(mine[1].read_bytes(), mine[0].read_bytes())]
        tls = grpc.ssl_server_credentials(pairs, self.authority.read_bytes(), require_client_auth=True)
        self.secure = f"127.0.0.1:{self._server.add_secure_port('127.0.0.1:0', tls)}"
        self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()

    def close(self) -> None:
        """End it."""
        self._server.stop(None).wait()


def _certificates(folder: Path) -> tuple[Path, tuple[Path, Path], tuple[Path, Path]]:
    """An authority's certificate; a caller's with its key; a server's with its key."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    caller = folder / "caller.pem", folder / "caller.key"
    server = folder / "server.pem", folder / "server.key"
    for (certificate, key), names in ((caller, ["caller"]), (server, ["localhost", "127.0.0.1"])):
        issued = authority.issue_cert(*names, common_name=names[0])
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
    return folder / "ca.pem", caller, server


class Web:
    """An HTTP server that notes requests.

    Attributes:
        url: its root.
        seen: method, path and headers (lower case) of each.
        moved: where paths lead to, with the status that says so.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.moved: dict[str, tuple[int, str]] = {}
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self.rfile.read(length)
                web.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                status, to = web.moved.get(self.path, (200, ""))
                self.send_response(status)
                if to:
                    self.send_header("Location", to)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


T = TypeVar("T", Oaktree, Web)


@contextmanager
def running(server: T) -> Iterator[T]:
    """Closes it at the end."""
    try:
        yield server
    finally:
        server.close()
