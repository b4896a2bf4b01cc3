"""Every request to the gateway ends with an answer, one audit line and one count in the metrics, even if it fails."""

import asyncio
import time
from collections.abc import Mapping

from aiohttp import web

from openstackoid.core import errors, protocol
from openstackoid.gateway.app import App
from openstackoid.gateway.entry.cors import Cors
from openstackoid.gateway.entry.refusals import CutError, refusal, request_id
from openstackoid.gateway.telemetry import metrics, traces
from openstackoid.gateway.telemetry.audit import CLIENT_GONE, Record
from openstackoid.gateway.telemetry.writer import LineWriter


class Audited:
    """Serves requests, and records how they end.

    Args:
        app: serves them.
        cloud: this cloud's name.
        audit: where the lines go.
        browsers: ADDRESS:PORT -> answers browsers there, if the gateway does.
        behind_haproxy: whether HAProxy sends the client's address.

    Attributes:
        idle: set while no request is under way.
    """

    def __init__(
        self, app: App, cloud: str, audit: LineWriter, browsers: Mapping[str, Cors], *, behind_haproxy: bool
    ) -> None:
        self._app = app
        self._cloud = cloud
        self._audit = audit
        self._browsers = browsers
        self._behind_haproxy = behind_haproxy
        self._running = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def handle(self, address: str, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request that arrived at ADDRESS:PORT."""
        record = Record(
            cloud=self._cloud,
            client=request.headers.get(protocol.CLIENT, request.remote) if self._behind_haproxy else request.remote,
            method=request.method,
            path=request.raw_path.partition("?")[0],
            global_request_id=request_id(request.headers.get(protocol.REQUEST_ID)),
        )
        with traces.arrived(request, record):
            return await self._recorded(address, request, record)

    async def _recorded(self, address: str, request: web.BaseRequest, record: Record) -> web.StreamResponse:
        cors = self._browsers.get(address)
        started = time.perf_counter()  # the loop's clock counts whole milliseconds (uvloop)
        self._running += 1
        self.idle.clear()
        try:
            try:
                preflight = cors.preflight(request) if cors else None
                response = preflight or await self._app.serve(address, request, record)
            except errors.OpenStackoidError as error:
                response, record.error = refusal(error), error.code
            if cors and not response.prepared:
                cors.mark(request, response.headers)
            record.status, record.request_id = response.status, response.headers.get(protocol.REQUEST_ID)
        except CutError:
            record.status, record.error = errors.PeerError.status, "upstream.cut"
            raise
        except (asyncio.CancelledError, ConnectionError):
            record.status = CLIENT_GONE
            raise
        except Exception:
            record.status, record.error = 500, errors.OpenStackoidError.code
            raise
        finally:
            self._running -= 1
            if not self._running:
                self.idle.set()
            record.ms = (time.perf_counter() - started) * 1000
            self._audit.write(record.line())
            metrics.count(record)
        return response
