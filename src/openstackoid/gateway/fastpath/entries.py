"""The entries of HAProxy's maps that a decision comes to, if every request like it is decided the same. Pure.

A map is asked by service, method and the text of the scope: a decision that depends on more than these makes no entry.
"""

from typing import Final

from openstackoid.core import protocol
from openstackoid.core import scope as scopes
from openstackoid.core.routing import READS, CloudMap, Facts, Local, Reject, Remote, decide
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.upstream.legs import CacheableToken
from openstackoid.haproxy import maps
from openstackoid.haproxy.maps import Entry
from openstackoid.haproxy.plan import HERE, WAYS

_LONGEST: Final = 1024  # characters of a scope that is worth HAProxy's memory: whoever asks, invented token or not, may have it taught
# Requests whose decision depends on more than service, method and scope: the gateway's rule for each of them must say the same.
_WRITES: Final = ("/v2.1/servers", "/v2.1/servers/x/os-volume_attachments", "/v2.1/flavors")


def key_text(call: Call) -> str | None:
    """The text of a call's scope, if it can be the key of an entry; an empty scope does not go on the token."""
    text = call.scope_text
    if not call.scope or call.scope.has_operators or text is None or len(text) > _LONGEST:
        return None
    return text if call.method in maps.METHODS and maps.is_writable(text) else None


def of_decision(
    call: Call, text: str, decision: Local | Remote, explicit: Scope, cloud_map: CloudMap
) -> tuple[str, Entry] | None:
    """The map and the entry of a decision for this cloud, or one of the same owner; None if it makes none.

    Args:
        call: the request.
        text: its `key_text`.
        decision: where it goes.
        explicit: the whole scope, as it goes on the token.
        cloud_map: the clouds that are known.
    """
    service, method = call.route.service, call.method
    if not _always(service, method in READS, call.scope, cloud_map, decision):
        return None
    written, name = scopes.format(explicit), WAYS
    if isinstance(decision, Local):
        same, name = "S" if text == written else "L", HERE
        plain = service == "identity" or explicit.only_names(decision.cloud)
        value = maps.PLAIN if plain else f"{same}|{protocol.MARK}{written}"
    elif service == "identity":
        return None  # what is asked of another cloud's Keystone needs more than a map
    else:
        value = f"T{decision.cloud}|{service}!{written}"
    key = maps.way(service, text, method=method)
    return (name, Entry(key, value)) if maps.is_writable(key) and maps.is_writable(value) else None


def of_token(call: Call, text: str, decision: Remote, token: CacheableToken, cloud_map: CloudMap) -> Entry | None:
    """The entry of a user's token for image data of another owner, down and up; None if it makes none.

    Args:
        call: the request, to the image service.
        text: its `key_text`.
        decision: where it goes.
        token: stands for the user's there.
        cloud_map: the clouds that are known.
    """
    if call.auth is None:
        return None
    if not all(_always("image", reads, call.scope, cloud_map, decision) for reads in (True, False)):
        return None
    ids = (token.user, token.project, token.agreement)
    key, value = maps.user(call.auth, text), maps.token(token.until, ids, decision.cloud, token.token)
    if key is None or value is None or not maps.is_writable(key) or not maps.is_writable(value):
        return None
    return Entry(key, value)


def _always(service: str, reads: bool, scope: Scope, cloud_map: CloudMap, decision: Local | Remote) -> bool:
    """Whether every such request of this scope is decided the same."""
    method = "GET" if reads else "POST"
    paths = _WRITES if service == "compute" and not reads else ("/",)
    others = (decide(Facts(service, method, path), scope, cloud_map) for path in paths)
    return all(
        not isinstance(other, Reject) and type(other) is type(decision) and other.cloud == decision.cloud
        for other in others
    )
