"""Requests of the panels: to the gateway, and to the control plane of virtual regions.

Both are found by the catalog of the user's token, and each checks the token itself. What they answer may be a peer's text: pages show it escaped.
"""

import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from openstack_dashboard.api import base

from openstackoid_dashboard import control_plane, sending
from openstackoid_dashboard.errors import FederationError

NO_CONTENT = 204
LARGEST_SHOWN = 200  # characters of an answer that is not what was asked for
OWN_PREFIX = "/openstackoid/v1/"  # of the gateway's own paths
PEERS_PATH = "/openstackoid/v1/peers"
EXPLAIN_PATH = "/openstackoid/v1/explain"


def peers(request: Any) -> list[SimpleNamespace]:
    """Give the clouds that this one works with, as the gateway sees them.

    Raises:
        FederationError: no gateway answers.
    """
    parts = urlsplit(base.url_for(request, "identity"))
    answer = _send("GET", f"{parts.scheme}://{parts.netloc}{PEERS_PATH}", {})
    found = sending.document(answer).get("peers")
    if not answer.ok or not isinstance(found, list):
        raise FederationError(f"No OpenStackoid gateway answers at {parts.netloc}: HTTP {answer.status_code}")
    return [SimpleNamespace(id=peer["name"], **peer) for peer in found]


def resources(request: Any, service: str, path: str, key: str, **query: Any) -> tuple[list[SimpleNamespace], list[str]]:
    """List resources of all clouds.

    Args:
        request: of the user.
        service: type in the catalog, such as `image`.
        path: of the list, below the endpoint.
        key: of the list in the answer.
        query: such as `limit` and `marker`.

    Returns:
        The items, each with its `cloud`, and what is missing: names of clouds with the code of the error.

    Raises:
        FederationError: no cloud answers.
    """
    headers = {
        "X-Scope": json.dumps({service: "*"}),
        "X-Scope-Annotate": "cloud",
        "X-Auth-Token": request.user.token.id,
    }
    given = {name: value for name, value in query.items() if value is not None}
    answer = _send("GET", base.url_for(request, service).rstrip("/") + path, headers, params=given)
    document = _checked(answer)
    missing = [part.strip() for part in answer.headers.get("X-Scope-Missing", "").split(",") if part.strip()]
    found = document.get(key)
    items = found if isinstance(found, list) else []
    # Items of other owners' clouds may have any form.
    proper = [item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]
    return [SimpleNamespace(**{"cloud": "", "name": "", **item}) for item in proper], missing


def explain(request: Any, service: str, region: str, scope: str, method: str, path: str) -> dict[str, Any]:
    """Ask this cloud's gateway where a request would go, and why.

    Args:
        request: of the user.
        service: type.
        region: of an aggregator; or empty.
        scope: as in X-Scope; or empty.
        method: of HTTP.
        path: of the request.

    Raises:
        FederationError: no gateway answers, or the scope is none.
    """
    parts = urlsplit(base.url_for(request, "identity"))
    prefix = f"/scope/{quote(region, safe='')}" if region else ""
    headers = {"X-Auth-Token": request.user.token.id} | ({"X-Scope": scope} if scope else {})
    query = {"service": service, "method": method, "path": path}
    url = f"{parts.scheme}://{parts.netloc}{prefix}{EXPLAIN_PATH}"
    return _checked(_send("GET", url, headers, params=query))


def operate(request: Any, method: str, path: str, query: Any = None, body: Any = None) -> dict[str, Any]:
    """Send a request to the operators' API of this cloud's gateway.

    Args:
        request: of the user.
        method: of HTTP.
        path: `audit` or `agreements`.
        query: parameters; those that are empty are left out.
        body: JSON.

    Returns:
        The answer; empty if it has no document.

    Raises:
        FederationError: a refusal, with its permanent code; or no gateway with an operators' API answers.
    """
    parts = urlsplit(base.url_for(request, "identity"))
    given = {name: value for name, value in (query or {}).items() if value}
    url, headers = f"{parts.scheme}://{parts.netloc}{OWN_PREFIX}{path}", {"X-Auth-Token": request.user.token.id}
    answer = _send(method, url, headers, params=given, json=body)
    return {} if answer.status_code == NO_CONTENT else _checked(answer)


def ask(request: Any, method: str, *path: str, query: Any = None, body: Any = None) -> dict[str, Any]:
    """Send a request to the control plane of virtual regions.

    Args:
        request: of the user.
        method: of HTTP.
        path: segments below `/v1`.
        query: parameters; those that are empty are left out.
        body: JSON.

    Raises:
        FederationError: a refusal, with its permanent code; or no control plane answers.
    """
    place = control_plane.url(request.user)
    if place is None:
        raise FederationError("The catalog has no control plane of virtual regions.")
    url = place.rstrip("/") + "/v1/" + "/".join(quote(part, safe="") for part in path)
    headers = {"X-Auth-Token": request.user.token.id, "OpenStack-API-Version": "virtual-region 1.0"}
    given = {name: value for name, value in (query or {}).items() if value}
    return _checked(_send(method, url, headers, params=given, json=body))


def _send(method: str, url: str, headers: dict[str, str], **more: Any) -> requests.Response:
    try:
        return sending.send(method, url, headers, **more)
    except requests.RequestException as error:
        raise FederationError(f"{urlsplit(url).netloc} does not answer: {type(error).__name__}") from None


def _checked(answer: requests.Response) -> dict[str, Any]:
    document = sending.document(answer)
    if answer.ok and document:
        return document
    error = document.get("error")
    if isinstance(error, dict):
        code = error.get("openstackoid_code") or error.get("title")
        message = error.get("message")
        raise FederationError(f"{message} (HTTP {answer.status_code}, {code})", str(message))
    raise FederationError(f"HTTP {answer.status_code}: {answer.text[:LARGEST_SHOWN]!r}")
