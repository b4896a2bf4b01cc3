"""Answers at the operators' address: health, with the peers, and metrics."""

from aiohttp import web

from openstackoid.gateway.api.answers import answered
from openstackoid.gateway.api.clouds import Clouds
from openstackoid.gateway.api.endpoints import NoSuchPathError
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.telemetry import metrics


async def answer(clouds: Clouds, peers: Peers, request: web.BaseRequest) -> web.Response:
    """Answer a request of an operator or a monitoring system."""
    if request.path == "/metrics":
        metrics.peers({name: name not in peers.errors for name in peers.clouds})
        return web.Response(body=metrics.text(), headers={"Content-Type": metrics.CONTENT_TYPE})
    if request.path == "/healthz":
        return answered({"status": "ok", **clouds.peers()})
    error = NoSuchPathError(f"Nothing at {request.path}. Here are: /healthz, /metrics.")
    return web.json_response(error.body(), status=error.status)
