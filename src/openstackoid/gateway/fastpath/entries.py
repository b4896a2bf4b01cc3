"""Map entries for HAProxy, made from a decision that holds for every request with the same key. Pure.

The key of a map is service, method and the text of the scope: a decision that depends on anything else makes no entry.
"""

from typing import Final

from openstackoid.core import protocol
from openstackoid.core import scope as scopes
from openstackoid.core.routing import READS, CloudMap, Facts, Local, Reject, Remote, decide
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.upstream.legs import CacheableToken
from openstackoid.haproxy import maps, patterns
from openstackoid.haproxy.maps import Entry
from openstackoid.haproxy.plan import HERE, WAYS

_LONGEST: Final = 1024  # characters of a scope that may become an entry: clients with an invented token can add some
# Requests whose decision depends on more than service, method and scope: an entry needs the same decision for each of these paths.
_WRITES: Final = ("/v2.1/servers", "/v2.1/servers/x/os-volume_attachments", "/v2.1/flavors")


def key_text(call: Call) -> str | None:
    """The text of a call's scope, if it can be the key of an entry; an empty scope does not go on the token."""
    text = call.scope_text
    if not call.scope or call.scope.has_operators or text is None or len(text) > _LONGEST:
        return None
    return text if call.method in maps.METHODS and maps.is_writable(text) else None


def token_key(call: Call) -> tuple[str, str] | None:
    """What stands for the scope in the key of a user's token, and which kind of thing it is; None if there is none.

    The name of a region is enough: its contract, like an agreement, is a fact that entries depend on.
    """
    if call.contract is not None:
        return call.contract.region, maps.REGION
    text = key_text(call)
    return None if text is None else (text, maps.FILE)


def of_decision(
    call: Call, text: str, decision: Local | Remote, explicit: Scope, cloud_map: CloudMap
) -> tuple[str, Entry] | None:
    """The map and the entry for a decision that leads to this cloud, or to one of the same owner; None if the decision makes no entry.

    Args:
        call: the request.
        text: the call's `key_text`.
        decision: where the request goes.
        explicit: the whole scope, as it is appended to the token.
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
        return None  # requests to another cloud's Keystone need more than a map
    else:
        value = f"T{decision.cloud}|{service}!{written}"
    key = maps.way(service, text, method=method)
    return (name, Entry(key, value)) if maps.is_writable(key) and maps.is_writable(value) else None


def of_token(
    call: Call, key: tuple[str, str], decision: Remote, token: CacheableToken, cloud_map: CloudMap
) -> Entry | None:
    """The entry of a user's token for download and upload of image data at a cloud of another owner; None if the decision makes no entry.

    Args:
        call: the request, to the image service.
        key: `token_key` of the call.
        decision: where the request goes.
        token: the federated token that replaces the user's token there.
        cloud_map: the clouds that are known.
    """
    if call.auth is None:
        return None
    if not all(_always("image", reads, call.scope, cloud_map, decision) for reads in (True, False)):
        return None
    ids = (token.user, token.project, token.agreement)
    if patterns.is_image(token.user) or patterns.is_image(token.project):
        return None  # ids may be replaced in paths, and this one might be an image's
    name, kind = key
    user, value = maps.user(call.auth, name, kind), maps.token(token.until, ids, decision.cloud, token.token)
    if user is None or value is None or not maps.is_writable(user) or not maps.is_writable(value):
        return None
    return Entry(user, value)


def _always(service: str, reads: bool, scope: Scope, cloud_map: CloudMap, decision: Local | Remote) -> bool:
    """Whether every request with this service, kind of method and scope gets the same decision."""
    method = "GET" if reads else "POST"
    paths = _WRITES if service == "compute" and not reads else ("/",)
    others = (decide(Facts(service, method, path), scope, cloud_map) for path in paths)
    return all(
        not isinstance(other, Reject) and type(other) is type(decision) and other.cloud == decision.cloud
        for other in others
    )
