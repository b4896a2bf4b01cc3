"""What HAProxy does with a request before it goes anywhere: the rules of a front, in order. Pure.

Every expression was chosen for what it costs: see docs/performance/haproxy.md.
"""

from collections.abc import Iterator
from typing import Final

from openstackoid.core import errors
from openstackoid.core.protocol import (
    AUTH,
    OWN_PREFIX,
    REQUEST_ID,
    SCOPE,
    SCOPED_PREFIX,
    SERVICE,
    SUBJECT,
    WELL_KNOWN_PATH,
)
from openstackoid.haproxy import maps, other_owners, regions, taught
from openstackoid.haproxy.answers import deny_text
from openstackoid.haproxy.patterns import literal
from openstackoid.haproxy.plan import LEASED, Front, Plan

# The first header: requests with two go to the gateway. Looking for the last one costs a third more.
_AUTH_HEADER: Final = "req.fhdr(x-auth-token,1)"
_OWN_PATHS: Final = f"{SCOPED_PREFIX} {OWN_PREFIX} {WELL_KNOWN_PATH}"
# The third letters of these, and of http://: rare in other paths, and looked for at a third of the cost.
_OWN_PATH_LETTERS: Final = "cpwtT"
# Names of headers (in lower case, as HAProxy has them) that end the first, quick look: too many, since a second look follows.
_SPECIAL_HEADERS: Final = "_|:x-(?:openstackoid|scope)|:x-(?:auth|service|subject)-token.*-token|transfer-enc"
# The second check: an underscore (WSGI takes it for a dash), one of our headers, a duplicate of a header that decides.
_UNSAFE_HEADERS: Final = "_|x-openstackoid|" + "|".join(
    f"{rule}:(?:.*:)?{rule}(?::|$)"
    for rule in (
        *(name.lower() for name in (AUTH, SERVICE, SUBJECT, SCOPE)),
        "content-type",
        REQUEST_ID.lower(),
    )
)
# A request with a scope that is for one connection only, or may become another one behind the agreement's rules, is the gateway's.
_HOP_BY_HOP: Final = "(?:^|:)(?:connection|keep-alive|proxy-[^:]*|te|trailer|upgrade)(?::|$)"
_OVERRIDES: Final = "(?:^|:)x-(?:http-)?method(?:-override)?(?::|$)"
# If the gateway answers browsers: a page's request.
_ORIGIN: Final = "(?:^|:)origin(?::|$)"
_METHOD_OVERRIDE: Final = "".join(f"(?:{letter}|%{ord(letter):x})" for letter in "_method")
_DOT_SEGMENTS: Final = r"(?:/|%2f|%5c|\\\\)(?:[.]|%2e){1,2}(?:/|%2f|%5c|\\\\|[?]|$)"
# HAProxy remembers what it found by a regular expression, and among thousands of tokens it takes longer to find that than to look at
# one anew, as `regsub` does: these leave nothing of a token that is, in turn, neither federated nor scoped; one that HAProxy
# understands, without a scope; such a one with a scope.
_UNLESS_ORDINARY: Final = 'regsub("^(?!eyJ)[^!]*+$","")'
_UNLESS_BARE: Final = 'regsub("^[^!~.|[:^graph:]]++$","")'
_UNLESS_SCOPED: Final = 'regsub("^[^!~.|[:^graph:]]++!SCOPE![[:print:]]*+$","")'
# The scope on a token; `field` would take five times as long to skip the text before it.
_CARRIED_SCOPE: Final = 'regsub("^[^!]*+(?:!SCOPE|$)",""),field(2,!,0)'
# A map's key ends at a NUL, which HAProxy accepts in headers: such a scope is replaced by one that is in no map.
_PRINTABLE: Final = 'regsub("(?s)[[:^print:]].*","?")'
# Paths of the gateway itself, and version documents, which the entry cloud answers when the scope cannot be served.
_GATEWAY_PATHS: Final = "^/(?:scope/|openstackoid/|[.]well-known/openstackoid|(?:v[0-9]+(?:[.][0-9]+)?/?)?(?:[?]|$))"


def front_rules(plan: Plan, front: Front) -> Iterator[str]:
    """The rules of a frontend for users: they set the variables that decide where a request goes (`legend`).

    `allow` ends the rules. Requests go to the gateway unchanged: the gateway filters headers and reports errors.
    """
    yield from _quick_look(plan, front)
    yield from _second_look(plan, front)
    yield from taught.look_up(plan, front)
    yield from taught.serve_here(plan)
    yield from other_owners.rules(plan, front, _AUTH_HEADER)


def _quick_look(plan: Plan, front: Front) -> Iterator[str]:
    """Three cheap conditions let requests without a scope go directly to the service."""
    if any(service.prefix for service in front.services):
        refused = deny_text(errors.BadRequestError("Expected a path without . and .. segments."))
        yield "  # A path that steps out of its service could be read as another's."
        yield f"  http-request deny deny_status 400 {refused} if {{ path -m reg -i {_DOT_SEGMENTS} }}"
    yield "  # Quick look: a path of the gateway itself, a header that is ours or decides twice, a token that is federated or carries a scope."
    yield f"  acl own_path path_beg {_OWN_PATHS}"
    yield "  # The path may be the gateway's own: its third letter is one of theirs."
    yield f"  acl maybe_own_path url,bytes(2,1),field(2,{_OWN_PATH_LETTERS}) -m found"
    yield "  # A header that may matter. The first has no colon before it: none that matters stands first, since Host does."
    origin = f"|{_ORIGIN}" if plan.cors else ""
    yield f"  acl special_header req.hdr_names(:) -m reg ^x-|{_SPECIAL_HEADERS}{origin}"
    yield "  # A federated token (eyJ...), or a token with a scope on it (TOKEN!...)."
    yield f"  acl special_token '{_AUTH_HEADER},{_UNLESS_ORDINARY}' -m len 1:"
    if _has_identity(front):
        yield "  # Federated tokens are validated by the gateway, and it must hear of those that are revoked."
        yield f"  acl special_token 'req.fhdr(x-subject-token),{_UNLESS_ORDINARY}' -m len 1:"
        yield "  acl special_token method DELETE"
    if plan.log:
        yield "  http-request set-log-level silent"
    yield "  # All the rest goes straight to the service."
    yield "  http-request allow if !special_header !special_token !maybe_own_path"


def _second_look(plan: Plan, front: Front) -> Iterator[str]:
    """Find the scope, and send every request that HAProxy cannot parse with certainty to the gateway."""
    yield "  # Assignments that stand in conditions: each spares a rule. Those of `true` always succeed."
    yield "  acl set_away bool(true),set-var(txn.away) -m found"
    yield "  acl set_peer bool(true),set-var(txn.peer) -m found"
    yield "  acl set_once req.fhdr(transfer-encoding),set-var(txn.once) -m found"
    yield f"  acl set_scope 'req.fhdr(x-scope,1),{_PRINTABLE},set-var(txn.scope)' -m found"
    yield f"  http-request set-var(txn.scope) '{_AUTH_HEADER},{_CARRIED_SCOPE},set-var(txn.carried)' if !set_scope"
    yield "  acl has_scope var(txn.scope) -m found"
    yield "  acl scope_on_token var(txn.carried) -m found"
    yield "  # With a scope in the header, another one on the token counts as well: the token must be bare."
    yield f"  acl bare_token '{_AUTH_HEADER},{_UNLESS_BARE}' -m len 0"
    yield "  # The gateway extends this lease while it follows what changes: when it stops, what was taught counts no more."
    yield f"  acl set_leased str({maps.LEASE}),map_str({plan.file(LEASED)}),set-var(txn.leased) -m found"
    yield "  acl lease_in_force date(0,ms),sub(txn.leased) -m int lt 0"
    yield "  # Headers that a second reader could read in another way, that are for one connection only, or that change the method."
    origin = f"|{_ORIGIN}" if plan.cors else ""
    yield f"  acl unsafe_header req.hdr_names(:) -m reg {_UNSAFE_HEADERS}|{_HOP_BY_HOP}|{_OVERRIDES}{origin}"
    yield "  # The gateway's own paths, version documents, paths with . or .. segments, a method in the query."
    yield f"  acl gateway_path pathq -m reg -i {_prefixed(front, _GATEWAY_PATHS)}|{_DOT_SEGMENTS}|{_METHOD_OVERRIDE}"
    if _has_identity(front):
        yield "  # A question about a token, which may be federated."
        yield "  acl gateway_path req.fhdr(x-subject-token) -m found"
    yield "  # A token with a scope on it that is not in the form TOKEN!SCOPE!TEXT."
    yield f"  acl malformed_token '{_AUTH_HEADER},{_UNLESS_SCOPED}' -m len 1:"
    if _has_identity(front):
        yield from regions.rules(plan, _AUTH_HEADER)
    yield "  # To the gateway: all of these. Straight to the service: without a scope, with an ordinary token."
    yield (
        "  http-request allow if unsafe_header set_away || !has_scope !special_token !own_path !set_once || "
        "!has_scope set_away || gateway_path set_away || scope_on_token malformed_token set_away"
    )
    yield "  http-request allow if !set_leased set_away || !lease_in_force set_away"


def _has_identity(front: Front) -> bool:
    return any(service.kind == "identity" for service in front.services)


def _prefixed(front: Front, pattern: str) -> str:
    """A pattern of paths, below each service's prefix."""
    prefixes = "|".join(literal(service.prefix) for service in front.services if service.prefix)
    return f"^(?:{prefixes})(?:[?]|$)|{pattern.replace('^/', f'^(?:{prefixes})?/', 1)}" if prefixes else pattern
