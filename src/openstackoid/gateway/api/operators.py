"""Answers at the operators' address: metrics, and health for three kinds of readers.

GET /livez      200 while the process answers: a supervisor restarts it otherwise
GET /readyz     200 if requests are served, else 503: a load balancer sends them elsewhere
GET /healthz    200 if every part is well, else 503; with the parts and the peers, for people and monitoring
GET /metrics    Prometheus' text format
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from openstackoid.gateway.api.answers import answered
from openstackoid.gateway.api.clouds import Clouds
from openstackoid.gateway.api.endpoints import NoSuchPathError
from openstackoid.gateway.api.health import Health, Status
from openstackoid.gateway.telemetry import metrics
from openstackoid.gateway.telemetry.gauges import State

_UNAVAILABLE = 503


class Operators:
    """Answers operators and monitoring systems.

    Args:
        clouds: describes the peers.
        state: the gateway's, for metrics.
        health: the gateway's.
    """

    def __init__(self, clouds: Clouds, state: Callable[[], State], health: Callable[[], Health]) -> None:
        self._clouds = clouds
        self._state = state
        self._health = health

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        if request.path == "/metrics":
            return web.Response(body=metrics.text(self._state()), headers={"Content-Type": metrics.CONTENT_TYPE})
        if request.path == "/livez":
            return answered({"status": Status.OK})
        health = self._health()
        if request.path == "/readyz":
            return _judged(health.to_json(), well=health.ready)
        if request.path == "/healthz":
            return _judged(health.to_json() | self._clouds.peers(), well=health.status is Status.OK)
        error = NoSuchPathError(f"Nothing at {request.path}. Here are: /healthz, /livez, /metrics, /readyz.")
        return web.json_response(error.body(), status=error.status)


def _judged(document: dict[str, Any], *, well: bool) -> web.Response:
    response = answered(document)
    if not well:
        response.set_status(_UNAVAILABLE)
    return response
