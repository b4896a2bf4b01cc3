"""The gateway's own paths: what this cloud serves, who its peers are, and why a request would go where it goes.

GET /.well-known/openstackoid                     for peers and clients; with the keys that sign our federated tokens
GET /openstackoid/v1/agreement                    for a peer's gateway: what we say to it
POST /openstackoid/v1/token                       token exchange (RFC 8693): see `exchange`
GET /openstackoid/v1/peers                        the peers and their state
GET /openstackoid/v1/explain?service=image        with a scope in any of its forms; method= and path= as wanted
GET /healthz, GET /metrics                        at the operators' address alone
"""

import time
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from openstackoid.core import errors
from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Cloud
from openstackoid.core.routing import Facts, explain
from openstackoid.core.scope import Scope, is_name
from openstackoid.core.services import service_type
from openstackoid.gateway.api import token_exchange as exchange
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.frontends import SCOPED
from openstackoid.gateway.entry.listeners import Door
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.issuer import EXCHANGE
from openstackoid.gateway.federation.peers import STATEMENT, WELL_KNOWN
from openstackoid.gateway.telemetry import metrics
from openstackoid.trust.agreements import Statement

if TYPE_CHECKING:
    from openstackoid.gateway.app import Gateway

_PREFIX: Final = "/openstackoid/"
_PEERS: Final = "/openstackoid/v1/peers"
_EXPLAIN: Final = "/openstackoid/v1/explain"
_POSTED: Final = frozenset({EXCHANGE})


class NoSuchPathError(errors.OpenStackoidError):
    """A path of ours that is none."""

    status = 404
    code = "path.missing"


def is_own(target: str) -> bool:
    """Whether a target is a path of the gateway itself, also behind a saved scope's prefix."""
    if target.startswith(SCOPED):
        target = "/" + target.removeprefix(SCOPED).partition("/")[2]
    return target.startswith(_PREFIX) or target.partition("?")[0] == WELL_KNOWN


async def answer(gateway: "Gateway", door: Door, request: web.BaseRequest) -> web.Response:
    """Answer a request for a path of ours.

    Raises:
        OpenStackoidError: no such path, or a malformed question.
    """
    path, saved = request.path, None
    if path.startswith(SCOPED):
        saved, _, rest = path.removeprefix(SCOPED).partition("/")
        path = f"/{rest}"
    expected = {"POST"} if path in _POSTED else {"GET", "HEAD"}
    if request.method not in expected:
        raise errors.BadRequestError(f"Expected {' or '.join(sorted(expected))}, got {request.method}.")
    treaty = gateway.treaty
    if path == WELL_KNOWN:
        published = treaty.agreements.keys.published(time.time()) if treaty else {}
        return _json(door.cloud.to_json() | published)
    if path == STATEMENT and treaty:
        return _json(_statement(treaty.agreements, request.headers.get(heads.ASSERTION)))
    if path == EXCHANGE and treaty:
        return _json(await exchange.answer(gateway.here.name, treaty, request, peers=door.peers))
    if not door.peers:
        if path == _PEERS:
            return _json(_peers(gateway))
        if path == _EXPLAIN:
            return _json(_explained(gateway, request, saved))
    raise NoSuchPathError(f"Nothing at {path}. Here are: {WELL_KNOWN}, {_PEERS}, {_EXPLAIN}.")


def _statement(agreements: Agreements, assertion: str | None) -> dict[str, Any]:
    """What we say to the peer that asks.

    Raises:
        TokenError: no peer asks.
    """
    peer = agreements.speaker(assertion)
    ours = agreements.all()[peer]
    grant = ours.grant
    return Statement(ours.id, ours.state, tuple(grant.offered), tuple(sorted(grant.roles))).to_json()


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
    return {
        "cloud": gateway.here.name,
        "peers": [_peer(gateway, name, cloud) for name, cloud in sorted(gateway.peers.clouds.items())],
    }


def _peer(gateway: "Gateway", name: str, cloud: Cloud | None) -> dict[str, Any]:
    error = gateway.peers.errors.get(name)
    federated = gateway.peers.federated(name)
    told: dict[str, Any] = {
        "name": name,
        "url": gateway.peers.url(name),
        "token": "federated" if federated else "pass-through",
        "labels": sorted(cloud.labels) if cloud else [],
        "services": sorted(cloud.services) if cloud else [],
        "state": "down" if error else "up" if cloud else "unknown",
        "error": str(error) if error else None,
    }
    if federated and gateway.treaty:
        ours = gateway.treaty.agreements.all().get(name)
        theirs = gateway.treaty.agreements.statements.get(name)
        told["agreement"] = {
            "ours": ours.state if ours else None,
            "theirs": theirs.state if theirs else "unknown",
            "fingerprint": ours.fingerprint if ours else None,
            "offered_here": ours.grant.offered if ours else [],
            "offered_there": list(theirs.services) if theirs else [],
        }
    return told


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
    return explain(facts, scope, gateway.cloud_map)


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
