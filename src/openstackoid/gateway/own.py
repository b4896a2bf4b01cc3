"""The gateway's own paths: what this cloud serves, who its peers are, and why a request would go where it goes.

GET /.well-known/openstackoid                     for peers and clients
GET /openstackoid/v1/peers                        the peers and their state
GET /openstackoid/v1/explain?service=image        with a scope in any of its forms; method= and path= as wanted
GET /healthz, GET /metrics                        at the operators' address alone
"""

from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from openstackoid.core import errors
from openstackoid.core import scope as scopes
from openstackoid.core.routing import Facts, explain
from openstackoid.core.scope import Scope, is_name
from openstackoid.core.services import service_type
from openstackoid.gateway import headers as heads
from openstackoid.gateway import metrics
from openstackoid.gateway.frontends import SCOPED
from openstackoid.gateway.peers import WELL_KNOWN

if TYPE_CHECKING:
    from openstackoid.gateway.app import Gateway

_PREFIX: Final = "/openstackoid/"
_PEERS: Final = "/openstackoid/v1/peers"
_EXPLAIN: Final = "/openstackoid/v1/explain"


class NoSuchPathError(errors.OpenStackoidError):
    """A path of ours that is none."""

    status = 404
    code = "path.missing"


def is_own(target: str) -> bool:
    """Whether a target is a path of the gateway itself, also behind a saved scope's prefix."""
    if target.startswith(SCOPED):
        target = "/" + target.removeprefix(SCOPED).partition("/")[2]
    return target.startswith(_PREFIX) or target.partition("?")[0] == WELL_KNOWN


def answer(gateway: "Gateway", request: web.BaseRequest) -> web.Response:
    """Answer a request for a path of ours.

    Raises:
        OpenStackoidError: no such path, or a malformed question.
    """
    if request.method not in {"GET", "HEAD"}:
        raise errors.BadRequestError(f"Expected GET, got {request.method}.")
    path, saved = request.path, None
    if path.startswith(SCOPED):
        saved, _, rest = path.removeprefix(SCOPED).partition("/")
        path = f"/{rest}"
    if path == WELL_KNOWN:
        return _json(gateway.here.to_json())
    if path == _PEERS:
        return _json(_peers(gateway))
    if path == _EXPLAIN:
        return _json(_explained(gateway, request, saved))
    raise NoSuchPathError(f"Nothing at {path}. Here are: {WELL_KNOWN}, {_PEERS}, {_EXPLAIN}.")


async def operators(gateway: "Gateway", request: web.BaseRequest) -> web.Response:
    """Answer at the operators' address."""
    if request.path == "/metrics":
        metrics.peers({name: name not in gateway.peers.errors for name in gateway.peers.clouds})
        return web.Response(body=metrics.text(), headers={"Content-Type": metrics.CONTENT_TYPE})
    if request.path == "/healthz":
        return _json({"status": "ok", **_peers(gateway)})
    error = NoSuchPathError(f"Nothing at {request.path}. Here are: /healthz, /metrics.")
    return web.json_response(error.body(), status=error.status)


def _peers(gateway: "Gateway") -> dict[str, Any]:
    peers = []
    for name, cloud in sorted(gateway.peers.clouds.items()):
        error = gateway.peers.errors.get(name)
        peers.append(
            {
                "name": name,
                "url": gateway.config.peers[name].url,
                "token": gateway.config.peers[name].token,
                "labels": sorted(cloud.labels) if cloud else [],
                "services": sorted(cloud.services) if cloud else [],
                "state": "down" if error else "up" if cloud else "unknown",
                "error": str(error) if error else None,
            }
        )
    return {"cloud": gateway.here.name, "peers": peers}


def _explained(gateway: "Gateway", request: web.BaseRequest, saved: str | None) -> dict[str, Any]:
    query = request.query
    kind = service_type(query.get("service", ""))
    if kind is None:
        raise errors.BadRequestError("Expected ?service= with a service type such as image.")
    scope = gateway.config.scopes.get(saved, Scope()) if saved else Scope()
    if saved and (not is_name(saved) or saved not in gateway.config.scopes):
        raise errors.UnknownScopeError(f"{gateway.here.name} has no such saved scope.")
    header = request.headers.get(heads.SCOPE)
    _, on_token = heads.split_token(request.headers.get(heads.AUTH))
    if header is not None:
        scope = scopes.parse(header)
    elif on_token is not None:
        scope = on_token
    facts = Facts(kind, query.get("method", "GET").upper(), query.get("path", "/"))
    return explain(facts, scope, gateway.federation)


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
