"""What HAProxy does with a request before it goes anywhere: the rules of a front, in order. Pure.

Every expression was chosen for what it costs: see docs/performance.md.
"""

import json
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
from openstackoid.core.request_ids import PATTERN
from openstackoid.haproxy import maps, others
from openstackoid.haproxy.patterns import literal
from openstackoid.haproxy.plan import HERE, LEASED, PEERS, WAYS, Front, Plan, Service

# The first one: two are odd, and the gateway's. Looking for the last one costs a third more.
_ASKING: Final = "req.fhdr(x-auth-token,1)"
_OWN: Final = f"{SCOPED_PREFIX} {OWN_PREFIX} {WELL_KNOWN_PATH}"
# The third letters of these, and of http://: rare in other paths, and looked for at a third of the cost.
_NEAR: Final = "cpwtT"
# What takes a request out of the way of plain ones, in the names of its headers (in lower case, as HAProxy has them): quick, and too
# strict, since a second look follows.
_ODD: Final = "_|:x-(?:openstackoid|scope)|:x-(?:auth|service|subject)-token.*-token|transfer-enc"
# The second look: an underscore (WSGI takes it for a dash), one of ours, one of those that decide twice.
_DANGER: Final = "_|x-openstackoid|" + "|".join(
    f"{each}:(?:.*:)?{each}(?::|$)"
    for each in (
        *(name.lower() for name in (AUTH, SERVICE, SUBJECT, SCOPE)),
        "content-type",
        REQUEST_ID.lower(),
    )
)
# A request with a scope that is for one connection only, or may become another one behind the agreement's rules, is the gateway's.
_HOPPING: Final = "(?:^|:)(?:connection|keep-alive|proxy-[^:]*|te|trailer|upgrade)(?::|$)"
_OVERRIDES: Final = "(?:^|:)x-(?:http-)?method(?:-override)?(?::|$)"
_METHOD: Final = "".join(f"(?:{letter}|%{ord(letter):x})" for letter in "_method")
_STEPS: Final = r"(?:/|%2f|%5c|\\\\)(?:[.]|%2e){1,2}(?:/|%2f|%5c|\\\\|[?]|$)"
# HAProxy remembers what it found by a regular expression, and among thousands of tokens it takes longer to find that than to look at
# one anew, as `regsub` does: these leave nothing of a token that is, in turn, neither federated nor scoped; one that HAProxy
# understands, without a scope; such a one with a scope.
_PLAIN: Final = 'regsub("^(?!eyJ)[^!]*+$","")'
_BARE: Final = 'regsub("^[^!~.|[:^graph:]]++$","")'
_CARRYING: Final = 'regsub("^[^!~.|[:^graph:]]++!SCOPE![[:print:]]*+$","")'
# The scope on a token; what stands before it would take `field` five times as long.
_CARRIED: Final = 'regsub("^[^!]*+(?:!SCOPE|$)",""),field(2,!,0)'
# A map's key ends at a NUL, which HAProxy lets pass: such a scope becomes one that nothing is known of.
_PRINTED: Final = 'regsub("(?s)[[:^print:]].*","?")'
# Paths of the gateway itself, and version documents, which the entry cloud answers when the scope cannot be served.
_APART: Final = "^/(?:scope/|openstackoid/|[.]well-known/openstackoid|(?:v[0-9]+(?:[.][0-9]+)?/?)?(?:[?]|$))"
# The peer that a way leads to; empty if it leads here.
CLOUD: Final = "var(txn.way),bytes(1),field(1,|)"


def name_of(kind: str) -> str:
    """The backend of a service."""
    return f"service_{kind}"


def front_rules(plan: Plan, front: Front) -> Iterator[str]:
    """From the request as it came to what says where it goes: `txn.away`, with `txn.peer` or `txn.once`; without, straight to the service.

    `allow` ends the rules. What goes to the gateway goes as it came: the gateway cleans it and says what is wrong with it.
    """
    if any(service.prefix for service in front.services):
        refused = told(errors.BadRequestError("Expected a path without . and .. segments."))
        yield "  # A path that steps out of its service could be read as another's."
        yield (f"  http-request deny deny_status 400 {refused} if {{ path -m reg -i {_STEPS} }}")
    yield f"  acl own path_beg {_OWN}"
    yield f"  acl near url,bytes(2,1),field(2,{_NEAR}) -m found"
    # The first header has no colon before it: none of those that matter stands first, Host does; if one does, the second look sees it.
    yield f"  acl odd req.hdr_names(:) -m reg ^x-|{_ODD}"
    yield f"  acl ticket '{_ASKING},{_PLAIN}' -m len 1:"
    identity = any(service.kind == "identity" for service in front.services)
    if identity:
        yield "  # Federated tokens are validated by the gateway, and it must hear of those that are revoked."
        yield f"  acl ticket 'req.fhdr(x-subject-token),{_PLAIN}' -m len 1:"
        yield "  acl ticket method DELETE"
    if plan.log:
        yield "  http-request set-log-level silent"
    yield "  http-request allow if !odd !ticket !near"
    yield "  # Looks that remember what they find: each spares a rule. Those of `true` always find it."
    yield "  acl leaves bool(true),set-var(txn.away) -m found"
    yield "  acl for_peer bool(true),set-var(txn.peer) -m found"
    yield "  acl chunked req.fhdr(transfer-encoding),set-var(txn.once) -m found"
    yield f"  acl headed 'req.fhdr(x-scope,1),{_PRINTED},set-var(txn.scope)' -m found"
    yield f"  http-request set-var(txn.scope) '{_ASKING},{_CARRIED},set-var(txn.carried)' if !headed"
    yield "  acl given var(txn.scope) -m found"
    yield "  acl carried var(txn.carried) -m found"
    yield f"  acl danger req.hdr_names(:) -m reg {_DANGER}|{_HOPPING}|{_OVERRIDES}"
    yield f"  acl apart pathq -m reg -i {_prefixed(front, _APART)}|{_STEPS}|{_METHOD}"
    if identity:
        yield "  acl apart req.fhdr(x-subject-token) -m found"
    yield f"  acl misshapen '{_ASKING},{_CARRYING}' -m len 1:"
    yield (
        "  http-request allow if danger leaves || !given !ticket !own !chunked || !given leaves || "
        "apart leaves || carried misshapen leaves"
    )
    yield "  # With a scope in the header, another one on the token counts as well."
    yield f"  acl bare '{_ASKING},{_BARE}' -m len 0"
    yield "  # The gateway puts this off while it follows what changes: whatever ends it, what was taught ends too."
    yield f"  acl leased str({maps.LEASE}),map_str({plan.file(LEASED)}),set-var(txn.leased) -m found"
    yield "  acl current date(0,ms),sub(txn.leased) -m int lt 0"
    yield "  http-request allow if !leased leaves || !current leaves"
    yield from _known(plan, front)
    yield from _here(plan)
    yield from others.rules(plan, front, _ASKING)


def _known(plan: Plan, front: Front) -> Iterator[str]:
    """What the gateway taught of a scope: that it leads here, or to a peer of the same owner, where the token passes."""
    if plan.log or not _single(front):
        for service in reversed(_longest_first(front)):
            condition = f" if{_where(service)}" if service.prefix else ""
            yield f"  http-request set-var(txn.service) str({service.kind}){condition}"
    key = f"method,{_of_service(front)}"
    yield f"  acl known {key},map_str({plan.file(HERE)}),set-var(txn.here) -m found"
    yield "  acl here var(txn.here) -m found"
    yield "  # A worker that is being replaced is told no news: what it has learned counts no more."
    yield "  http-request unset-var(txn.here) if !{ stopping } known !carried !bare || here chunked !leaves"
    yield (
        f"  acl there {key},map_str({plan.file(WAYS)}),set-var(txn.way),bytes(1),field(1,!),map_str({plan.file(PEERS)}),"
        "set-var(txn.place) -m found"
    )
    yield "  acl placed var(txn.place) -m found"
    yield f"  acl passes {_begins('way', 'T')}"
    yield (
        "  http-request allow if !here !{ stopping } there passes !carried bare for_peer leaves || "
        "placed passes carried for_peer leaves"
    )


def _here(plan: Plan) -> Iterator[str]:
    """The scope follows the workflow on the token, if it leads to other clouds; Keystone reads plain ones."""
    yield from _audited(plan, " if here")
    if plan.log:
        yield "  http-request set-var(txn.way) var(txn.here) if here"
    yield "  http-request del-header X-Scope if here !carried"
    yield f"  acl plain var(txn.here) -m len {len(maps.PLAIN)}"
    yield "  # On a token as services pass it on, the scope is explicit already."
    yield f"  acl same {_begins('here', 'S')}"
    yield "  http-request allow if plain !carried || carried same"
    yield "  # A pattern that takes all at once: the token is bare."
    yield "  http-request replace-header X-Auth-Token (?s)^(.*)$ \\1%[var(txn.here),bytes(2)] if here !carried"
    yield "  http-request allow if here !carried"
    yield "  http-request replace-header X-Auth-Token ^([^!]*) \\1%[var(txn.here),bytes(2)] if here"


def rewritten(plan: Plan, *, passes: bool) -> Iterator[str]:
    """What is changed on the way to a peer: of the same owner, where tokens pass, or of another one."""
    yield from _audited(plan)
    for service in (service for front in plan.fronts for service in front.services if service.prefix):
        yield f"  http-request replace-path ^{literal(service.prefix)}(/.*)?$ \\1 if {{ var(txn.service) -m str {service.kind} }}"
    if passes:
        yield "  http-request del-header X-Service-Token"
        yield "  http-request replace-header X-Auth-Token ^([^!]*).*$ \\1 if { var(txn.carried) -m found }"
        yield "  http-request set-header X-Scope %[var(txn.way),field(2,!)]"
    else:
        yield from others.requested()
    # None came: such requests are the gateway's.
    yield f"  http-request add-header X-Openstackoid-Hops {plan.cloud}"
    yield f"  acl numbered req.fhdr(x-openstack-request-id) -m reg ^{PATTERN}$"
    yield "  acl session var(sess.id) -m found"
    yield "  acl session uuid(),bytes(0,24),set-var(sess.id) -m found"
    # The microsecond, in twelve digits: the same again after ten days.
    yield (
        "  http-request set-header X-Openstack-Request-Id req-%[var(sess.id)]%[date(0,us),mod(900000000000),add(100000000000)] "
        "if !numbered session"
    )
    if plan.log:
        yield "  http-request set-var(txn.request) req.fhdr(x-openstack-request-id)"
    yield "  http-request set-header Host %[var(txn.place),field(4,|)]"
    yield "  http-request set-path %[var(txn.place),field(1,|),bytes(1)]%[path] if !{ var(txn.place),field(1,|) -m len 1 }"
    yield "  http-request set-dst var(txn.place),field(2,|)"
    yield "  http-request set-dst-port var(txn.place),field(3,|)"


def _audited(plan: Plan, condition: str = "") -> Iterator[str]:
    """A line of audit for what goes straight; for what does not, the gateway writes one."""
    if plan.log:
        yield f"  http-request set-log-level info{condition}"
        yield f"  http-request set-var(txn.path) path{condition}"


def targets(front: Front) -> Iterator[str]:
    """To a backend: of a service, of peers, or the gateway. The commonest first, and none by a name that is put together."""
    yield "  acl away var(txn.away) -m found"
    yield "  acl peer var(txn.peer) -m found"
    yield "  acl replaced var(txn.learned) -m found"
    yield "  # By TLS, unless it is said otherwise: a place in the form of another version fails, and no token is sent in the clear."
    yield f"  acl open_peer {_begins('place', 'P')}"
    yield "  acl once var(txn.once) -m found"
    for service in _longest_first(front):
        target = name_of(service.kind) if service.direct else "gateway"
        yield f"  use_backend {target} if !away{_where(service)}"
    yield "  use_backend others_tls if peer replaced !open_peer"
    yield "  use_backend own_tls if peer !open_peer"
    yield "  use_backend others if peer replaced"
    yield "  use_backend own if peer"
    for service in _longest_first(front):
        target = f"{name_of(service.kind)}_once" if service.direct else "gateway"
        yield f"  use_backend {target} if once{_where(service)}"
    yield "  default_backend gateway"


def _begins(name: str, letter: str) -> str:
    """The condition that a variable begins so: without a pattern, which costs twice as much."""
    return f"var(txn.{name}),bytes(0,1),field(2,{letter}) -m found"


def _single(front: Front) -> bool:
    """Whether all paths are of one service, whose name then need not be looked for."""
    return len(front.services) == 1 and not front.services[0].prefix


def _of_service(front: Front) -> str:
    """What follows in a key: the service and the scope."""
    if _single(front):
        return f"concat(|{front.services[0].kind}|,txn.scope)"
    return "concat(|,txn.service,|),concat(,txn.scope)"


def _where(service: Service) -> str:
    """The condition that a path is a service's; with no prefix, always."""
    return f" {{ path -m reg {_below(service)} }}" if service.prefix else ""


def _below(service: Service) -> str:
    return f"^{literal(service.prefix)}(?:/|$)"


def _prefixed(front: Front, pattern: str) -> str:
    prefixes = "|".join(literal(service.prefix) for service in front.services if service.prefix)
    return f"^(?:{prefixes})(?:[?]|$)|{pattern.replace('^/', f'^(?:{prefixes})?/', 1)}" if prefixes else pattern


def _longest_first(front: Front) -> list[Service]:
    """The longest path that fits wins, as at the gateway."""
    return sorted(front.services, key=lambda service: len(service.prefix), reverse=True)


def told(error: errors.OpenStackoidError) -> str:
    """An error in a `deny` rule: its JSON, quoted for HAProxy's reader and its log format."""
    body = json.dumps(error.body()).replace("%", "%%")
    quoted = body.replace("\\", "\\\\").replace('"', '\\"')
    return f'content-type application/json lf-string "{quoted}"'
