"""Image downloads by users of other clouds at the peering listener, directly from the service, without the gateway. Pure.

Only one kind of request, of users that the gateway has admitted: `GET PREFIX/v2/images/ID/file`. It has no ids to map, its body is not JSON,
and the agreement treats every image id alike. All other requests at that listener go to the gateway.

    visitors.map    SHA256(TOKEN)|HOME  ->  EXPIRY:USER:PROJECT:AGREEMENT:LOCAL-USER:LOCAL-PROJECT:::::TOKEN~MARK
                        until when (Unix milliseconds) this federated token of a cloud's user opens the way, whose it is, for the
                        audit, and what the service gets in its place, at a fixed position (`PREFIX_WIDTH`)

These rules do not filter headers as the gateway does: a request with any header that would have to be filtered goes to the gateway. So headers
are compared with a list of harmless ones, not with a list of harmful ones. Fail closed: every condition tests for the allowed form.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from openstackoid.core.request_ids import PATTERN
from openstackoid.haproxy.maps import LEASE, TIME, is_writable
from openstackoid.haproxy.other_owners import ANSWER
from openstackoid.haproxy.patterns import RAW, image_data, other_than
from openstackoid.haproxy.plan import LEASED, VISITORS, Images, Plan

BACKEND: Final = "visitors"
PREFIX_WIDTH: Final = (
    352  # characters before the token in visitors.map: the time, five ids of 64, and what separates them
)
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_BASE: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*\Z")
# Headers that clients and gateways send with such a request, and that may reach a service from anybody: none for a body or for decisions. No
# User-Agent: gateways of this version send none, and what one of an older version sends is for the gateway to remove.
_HEADERS: Final = (
    "host",
    *("accept", "accept-encoding", "accept-language", "cache-control", "pragma"),
    *("range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"),
    *("content-type", "openstack-api-version"),
    *("x-auth-token", "x-openstack-request-id", "x-openstackoid-hops", "x-openstackoid-assertion"),
)
# No name twice; looked at after there are no more than there are names. (HAProxy has regular expressions capture by name alone.)
_ONCE: Final = "(?!(?:.*:)?(?P<name>[^:]+):(?:.*:)?(?P=name)(?::|$))"
_CLOUD: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
MAX_PATH: Final = 1024  # characters, as in the gateway's lines
# HAProxy cuts lines at 1,024 characters, if it is not told otherwise. As many as a pipe takes whole (PIPE_BUF): the longest line has 1,024
# of the path, each of which may need two, 1,024 of the method (what HAProxy keeps of a request line), and below 1,000 of the rest.
MAX_LINE: Final = 4096
BOUNDED: Final = f"bytes(0,{MAX_PATH}),json(utf8s)"
# The line of audit, in the gateway's words (gateway/telemetry/audit.py); what a client writes last.
AUDIT: Final = (
    '{"time":"%[date,utime(%Y-%m-%dT%H:%M:%SZ)]","cloud":"CLOUD","by":"haproxy","status":%ST,"service":"image","way":"V",'
    '"home":"%[var(txn.home),json(utf8s)]","user":"%[var(txn.learned),field(2,:)]",'
    '"project":"%[var(txn.learned),field(3,:)]","local_user":"%[var(txn.learned),field(5,:)]",'
    '"local_project":"%[var(txn.learned),field(6,:)]","agreement":"%[var(txn.learned),field(4,:)]","client":"%ci","ms":%Ta,'
    f'"global_request_id":"%[var(txn.request),json(utf8s)]","method":"%HM","path":"%[var(txn.path),{BOUNDED}]"}}'
)


def key(token: str, home: str) -> str:
    """The key of a visitor: HAProxy's `sha2(256),hex` of the federated token, and the only cloud that it may come from."""
    return f"{hashlib.sha256(token.encode()).hexdigest().upper()}|{home}"


def value(until: float, ids: tuple[str, str, str, str, str], marked: str) -> str | None:
    """The value of a visitor; None if it cannot be written.

    Args:
        until: Unix seconds.
        ids: of user, project and agreement, and of user and project here. Another cloud says some of them: they have to be such as
            stand in a line of audit without being quoted.
        marked: what the service gets.
    """
    if not all(map(_ID.match, ids)) or not is_writable(marked):
        return None
    return ":".join((f"{int(until * 1000):0{TIME}}", *ids, "")).ljust(PREFIX_WIDTH, ":") + marked


def is_base(path: str) -> bool:
    """Whether a path can stand before others in the rules as it is."""
    return _BASE.match(path) is not None


def rules(plan: Plan, images: Images) -> Iterator[str]:
    """Rules that set `txn.to` for such a request; all other requests go to the gateway. `allow` ends the rules."""
    yield "  # Image data of users whom the gateway has let in; all else is the gateway's."
    yield f"  acl image_data url -m reg {image_data(images.prefix)}"
    yield "  # A worker that is being replaced is told no news: what it has learned counts no more."
    yield "  http-request allow if !{ method GET } || !image_data || !{ req.ver 1.1 } || { stopping }"
    yield "  # Only headers that are known to be harmless, none twice, all printable."
    yield f"  acl few_headers req.fhdr_cnt le {len(_HEADERS)}"
    yield f"  acl known_headers req.hdr_names(:) -m reg ^{_ONCE}(?:(?:{'|'.join(_HEADERS)})(?::|$))+$"
    yield "  acl printable_headers req.hdrs -m reg ^[[:print:]\\r\\n]+$"
    yield "  http-request allow if !few_headers || !known_headers || !printable_headers"
    yield "  acl has_content_type req.fhdr(content-type) -m found"
    yield f"  acl raw_content_type req.fhdr(content-type) -m reg {RAW}"
    yield "  # An id of the request, and one cloud that it comes from."
    yield f"  acl has_request_id req.fhdr(x-openstack-request-id) -m reg ^{PATTERN}$"
    yield f"  acl has_sender req.fhdr(x-openstackoid-hops) -m reg ^{_CLOUD}$"
    yield "  http-request allow if has_content_type !raw_content_type || !has_request_id || !has_sender"
    yield "  http-request set-var(txn.home) req.fhdr(x-openstackoid-hops)"
    yield (
        f"  http-request set-var(txn.learned) req.fhdr(x-auth-token),sha2(256),hex,concat(|,txn.home),"
        f"map_str({plan.file(VISITORS)})"
    )
    yield "  # Both in force: the user's token, and the gateway's lease."
    yield f"  http-request set-var(txn.leased) str({LEASE}),map_str({plan.file(LEASED)})"
    yield "  http-request allow if !{ date(0,ms),sub(txn.learned) -m int lt 0 } || !{ date(0,ms),sub(txn.leased) -m int lt 0 }"
    if plan.log:
        yield "  http-request set-log-level info"
    yield f"  http-request set-var(txn.to) str({BACKEND})"


def changes(plan: Plan, images: Images) -> Iterator[str]:
    """The rules of the backend, which change request and answer as the gateway does."""
    inner = f"path,bytes({len(images.prefix)})"
    if plan.log:
        yield "  http-request set-var(txn.request) req.fhdr(x-openstack-request-id)"
        yield f"  http-request set-var(txn.path) {inner}"
    yield f"  http-request set-path {images.base}%[{inner}]"
    yield "  http-request del-header x-openstackoid- -m beg"
    yield f"  http-request set-header X-Auth-Token %[var(txn.learned),bytes({PREFIX_WIDTH})]"
    if images.https:
        yield "  http-request set-header X-Forwarded-Proto https"
    # As at the other end: one that the service was given before it would lead to where only this cloud's services can go.
    yield f"  http-response del-header {other_than(ANSWER)} -m reg"
