"""Wait until the gateways of a lab have met: each has its peers' catalogs, and knows their side of the agreement.

A gateway that starts before a peer's remembers for a moment that nobody answered there. Without this wait, the first command after
``openstackoid lab up`` could fail.
"""

import http.client
import json
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from openstackoid.core.protocol import PEERS_PATH

from .layout import Cloud

_PAUSE = 0.1  # seconds


def strangers(cloud: Cloud) -> list[str]:
    """What a cloud's gateway does not know yet, one line for each peer; nothing if what answers there is no gateway."""
    where = urlsplit(cloud.frontend("identity"))
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=5)
    try:
        connection.request("GET", PEERS_PATH)
        peers = json.loads(connection.getresponse().read())["peers"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return []
    finally:
        connection.close()
    return [f"{cloud.name} does not know {peer['name']} yet{_reason(peer)}" for peer in peers if not is_met(peer)]


def wait(clouds: Iterable[Cloud], patience: float) -> list[str]:
    """Wait until all have met; returns what is left after so many seconds, such as a peer that somebody has removed."""
    deadline = time.monotonic() + patience
    with_gateway = [cloud for cloud in clouds if cloud.with_gateway]
    while (left := [line for cloud in with_gateway for line in strangers(cloud)]) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return left


def is_met(peer: dict[str, Any]) -> bool:
    """Whether a gateway knows a peer, as its own path shows it, and the peer's side of the agreement, if they have one."""
    agreement = peer.get("agreement")
    waits = agreement is not None and agreement["ours"] == "active" and agreement["theirs"] == "unknown"
    return peer["state"] == "up" and not waits


def _reason(peer: dict[str, Any]) -> str:
    return f": {peer['error']}" if peer["error"] else ""
