"""HAProxy's configuration as text. Pure.

What no scope touches goes straight to the service, as in a plain HAProxy: three looks at the request decide it, and `allow` ends the
rules. The rest is cleaned as the gateway does it, then the maps are asked (`maps`): what they know goes straight as well; what they
do not, to the gateway, which teaches it. No Lua: entering it costs more than all of this.

Every name in here was checked by the gateway's configuration; nothing from a request reaches this text.
"""

import json
from collections.abc import Iterator
from typing import Final

from openstackoid.core import errors
from openstackoid.core.private import PRIVATE
from openstackoid.haproxy.maps import LONGEST_SCOPE
from openstackoid.haproxy.plan import PEERS, TOKENS, WAYS, Front, Plan, Service

# Room for a federated token and an explicit scope in the place of what came.
_BUFFER: Final = 32768
_REWRITE: Final = 8192
_SLACK: Final = 10.0  # seconds
_OWN: Final = "/scope/ /openstackoid/ /.well-known/openstackoid"
# What takes a request out of the way of plain ones, in the names of its headers (in lower case, as HAProxy has them): quick, and too
# strict, since a second look follows.
_ODD: Final = "_|:x-(?:openstackoid|scope)|:x-(?:auth|service|subject)-token.*-token|transfer-enc"
# The second look: an underscore (WSGI takes it for a dash), one of ours, one of those that decide twice.
_DANGER: Final = "_|x-openstackoid|" + "|".join(
    f"{each}:(?:.*:)?{each}(?::|$)"
    for each in ("x-auth-token", "x-service-token", "x-subject-token", "x-scope", "content-type")
)
# A request with a scope that is for one connection only, or may become another one behind the agreement's rules, is the gateway's.
_HOPPING: Final = "(?:^|:)(?:connection|keep-alive|proxy-[^:]*|te|trailer|upgrade)(?::|$)"
_OVERRIDES: Final = "(?:^|:)x-(?:http-)?method(?:-override)?(?::|$)"
_METHOD: Final = "".join(f"(?:{letter}|%{ord(letter):x})" for letter in "_method")
_FORMS: Final = "application/x-www-form-urlencoded multipart/form-data"
_STEPS: Final = r"(?:/|%2f|%5c|\\\\)(?:[.]|%2e){1,2}(?:/|%2f|%5c|\\\\|$)"
# A token that HAProxy understands: not a federated one, and with a scope or without one.
_READABLE: Final = "^[^!~.]+(?:!SCOPE!|$)"
# Paths of the gateway itself, and version documents, which the entry cloud answers when the scope cannot be served.
_APART: Final = "^/(?:scope/|openstackoid/|[.]well-known/openstackoid|(?:v[0-9]+(?:[.][0-9]+)?/?)?$)"

# One line of audit for what goes straight, as the gateway writes it for the rest; `way` is the map's letter.
_AUDIT: Final = (
    '{"time":"%[date,utime(%Y-%m-%dT%H:%M:%SZ)]","cloud":"CLOUD","by":"haproxy","client":"%ci","method":"%HM",'
    '"global_request_id":"%[var(txn.request),json(utf8s)]","service":"%[var(txn.service)]","path":"%[var(txn.path),json(utf8s)]",'
    '"way":"%[var(txn.way),bytes(0,1)]","peer":"%[var(txn.cloud)]","user":"%[var(txn.learned),field(2,:)]",'
    '"project":"%[var(txn.learned),field(3,:)]","agreement":"%[var(txn.learned),field(4,:)]","status":%ST,"ms":%Ta}'
)
_MADE: Final = "X-Openstackoid-Made"
# The token itself is replaced.
_KEPT: Final = PRIVATE.replace("x-auth-.*", "x-auth-(?!token$).*")
# The same, looked for in all names at once: most requests have none, and then no header is compared.
_SOME_KEPT: Final = (
    PRIVATE.replace("x-auth-.*", "x-auth-(?!token(?::|$)).*")
    .replace("^(", "(?:^|:)(")
    .replace(")$", ")(?::|$)")
    .replace(".*", "[^:]*")
)


def render(plan: Plan) -> str:
    """The whole configuration."""
    parts = [
        _global(plan),
        _defaults(plan),
        *(_frontend(plan, number, front) for number, front in enumerate(plan.fronts)),
        *(
            _service(plan, service, once=once)
            for service in _services(plan)
            if service.direct
            for once in (False, True)
        ),
        _gateway(plan),
        _peers(plan, tls=False),
        _peers(plan, tls=True),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def name_of(kind: str) -> str:
    """The backend of a service."""
    return f"service_{kind}"


def files(plan: Plan) -> dict[str, str]:
    """Name -> text of every file but the certificates: configuration, empty maps, errors."""
    return {
        "haproxy.cfg": render(plan),
        WAYS: "",
        TOKENS: "",
        PEERS: "",
        "unavailable.http": _raw(errors.BackendUnreachableError("The service does not answer.")),
        "service-timeout.http": _raw(errors.BackendTimeoutError("The service did not answer in time.")),
        "gateway.http": _raw(errors.BackendUnreachableError(f"{plan.cloud}'s gateway does not answer.")),
        "malformed.http": _raw(errors.BadRequestError("Expected a request in HTTP, with a head of less than 24 KiB.")),
    }


def _global(plan: Plan) -> list[str]:
    return [
        "# Written by openstackoid haproxy render: change the gateway's configuration instead.",
        "global",
        f"  stats socket {plan.socket} mode 600 level admin expose-fd listeners",
        "  log stderr format raw local1 notice",
        *([f"  nbthread {plan.threads}"] if plan.threads else []),
        f"  tune.bufsize {_BUFFER}",
        f"  tune.maxrewrite {_REWRITE}",
        "  ssl-default-bind-options ssl-min-ver TLSv1.2",
        "  ssl-default-server-options ssl-min-ver TLSv1.2",
        # Idle connections are told to close one by one, so that a reload cuts none of them.
        "  close-spread-time 5s",
    ]


def _defaults(plan: Plan) -> list[str]:
    return [
        "defaults",
        "  mode http",
        f"  timeout connect {_seconds(plan.connect)}",
        f"  timeout client {_seconds(plan.idle)}",
        f"  timeout server {_seconds(plan.idle)}",
        "  timeout http-request 30s",
        "  timeout http-keep-alive 60s",
        "  timeout check 5s",
        "  option splice-response",
        "  http-reuse safe",
        "  retries 1",
        f"  errorfile 400 {plan.file('malformed.http')}",
        "  option disable-h2-upgrade",
        *(f"  errorfile {status} {plan.file('unavailable.http')}" for status in (502, 503)),
        f"  errorfile 504 {plan.file('service-timeout.http')}",
    ]


def _frontend(plan: Plan, number: int, front: Front) -> Iterator[str]:
    yield f"frontend front_{number}"
    tls = f" ssl crt {front.certificate}" if front.certificate else ""
    yield f"  bind {front.address}{tls}"
    if plan.log:
        yield f"  log {plan.log} format raw daemon info"
        yield f"  log-format '{_AUDIT.replace('CLOUD', plan.cloud)}'"
    if not front.services:
        yield "  # Other clouds' gateways call here: who they are, the gateway says, and it writes the audit."
        if plan.log:
            yield "  http-request set-log-level silent"
        yield "  default_backend gateway"
        return
    yield from _front_rules(plan, front)
    yield "  use_backend %[var(txn.to)] if { var(txn.to) -m found }"
    yield from _direct(front)


def _front_rules(plan: Plan, front: Front) -> Iterator[str]:
    """From the request as it came to `txn.to`, the backend where it goes; without it, straight to the service.

    `allow` ends the rules. What goes to the gateway goes as it came: the gateway cleans it and says what is wrong with it.
    """
    if any(service.prefix for service in front.services):
        told = _told(errors.BadRequestError("Expected a path without . and .. segments."))
        yield "  # A path that steps out of its service could be read as another's."
        yield (f"  http-request deny deny_status 400 {told} if {{ path -m reg -i {_STEPS} }}")
    yield f"  acl own path_beg {_OWN}"
    # The first header has no colon before it: none of those that matter stands first, Host does; if one does, the second look sees it.
    yield f"  acl odd req.hdr_names(:) -m reg ^x-|{_ODD}"
    yield "  acl ticket req.fhdr(x-auth-token) -m beg eyJ"
    yield "  acl ticket req.fhdr(x-auth-token) -m sub !"
    identity = any(service.kind == "identity" for service in front.services)
    if identity:
        yield "  # Federated tokens are validated by the gateway, and it must hear of those that are revoked."
        yield "  acl ticket req.fhdr(x-subject-token) -m reg ^eyJ|!"
        yield "  acl ticket method DELETE"
    if plan.log:
        yield "  http-request set-log-level silent"
    yield "  http-request allow if !odd !ticket !own"
    yield "  http-request set-var(txn.to) str(gateway)"
    yield f"  acl danger req.hdr_names(:) -m reg {_DANGER}"
    yield "  http-request allow if danger"
    yield "  acl scoped req.fhdr(x-scope) -m found"
    yield "  acl chunked req.hdr(transfer-encoding) -m found"
    yield "  acl given var(txn.scope) -m found"
    yield "  http-request set-var(txn.scope) req.fhdr(x-auth-token),field(3,!,0)"
    yield "  http-request set-var(txn.scope) req.fhdr(x-scope) if scoped"
    yield "  acl apart var(txn.scope) -m reg [[:^print:]]"
    yield f"  acl apart path_reg {_prefixed(front, _APART)}"
    if identity:
        yield "  acl apart req.fhdr(x-subject-token) -m found"
    yield f"  acl apart path -m reg -i {_STEPS}"
    yield f"  acl apart req.hdr_names(:) -m reg {_HOPPING}"
    yield "  http-request unset-var(txn.to) if !given !ticket !own"
    for service in _shortest_first(front):
        yield from _once(service, "!given !ticket !own")
    yield f"  acl readable req.fhdr(x-auth-token) -m reg {_READABLE}"
    yield "  # A scope in the header and another one on the token: both are read."
    yield "  http-request allow if !given || apart || !readable || scoped { req.fhdr(x-auth-token) -m sub ! }"
    yield from _known(plan, front)
    yield from _there(plan, front)


def _known(plan: Plan, front: Front) -> Iterator[str]:
    """What the gateway taught of a scope, and the commonest: it leads here."""
    ways = plan.file(WAYS)
    single = len(front.services) == 1 and not front.services[0].prefix
    for service in _shortest_first(front):
        yield f"  http-request set-var(txn.service) str({service.kind}){'' if single else ' if ' + _inside(service)}"
    for mode, condition in (("R", "{ method GET HEAD OPTIONS }"), ("W", "!{ method GET HEAD OPTIONS }")):
        yield (
            f"  http-request set-var(txn.way) var(txn.service),concat(|{mode}|,txn.scope),map_str({ways}) if {condition}"
        )
    long = _told(errors.BadRequestError(f"Expected a scope of {LONGEST_SCOPE} characters at most."))
    yield "  acl known var(txn.way) -m found"
    yield (
        f"  http-request deny deny_status 400 {long} if !known {{ var(txn.scope),length -m int gt {LONGEST_SCOPE} }}"
    )
    yield "  http-request allow if !known"
    yield "  # Here: the scope follows the workflow on the token; Keystone reads plain ones."
    yield "  acl here var(txn.way) -m beg S L P"
    yield "  http-request unset-var(txn.to) if here"
    yield from _audited(plan, " if here")
    for service in _shortest_first(front):
        yield from _once(service, "here")
    yield "  # On a token as services pass it on, the scope is explicit already."
    yield "  http-request allow if { var(txn.way) -m beg S } !scoped"
    yield "  http-request set-header X-Auth-Token %[req.fhdr(x-auth-token),field(1,!)]%[var(txn.way),bytes(1)] if here"
    yield "  http-request del-header X-Scope if here"
    yield "  http-request allow if here"


def _once(service: Service, condition: str) -> Iterator[str]:
    target = f"{name_of(service.kind)}_once" if service.direct else "gateway"
    yield f"  http-request set-var(txn.to) str({target}) if {condition} chunked {_inside(service)}"


def _there(plan: Plan, front: Front) -> Iterator[str]:
    """To a peer, with its place and the token that counts there."""
    yield "  # There."
    yield "  http-request set-var(txn.cloud) var(txn.way),bytes(1),field(1,|)"
    yield f"  http-request set-var(txn.place) var(txn.cloud),concat(|,txn.service),map_str({plan.file(PEERS)})"
    yield "  http-request set-var(txn.token) req.fhdr(x-auth-token),field(1,!)"
    yield "  acl passes var(txn.way) -m beg T"
    yield (
        "  http-request set-var(txn.learned) "
        f"var(txn.token),concat(|,txn.cloud),concat(|,txn.scope),sha1,hex,map_str({plan.file(TOKENS)}) if !passes"
    )
    yield "  http-request set-var(txn.now) date(0,ms) if !passes"
    yield "  http-request set-var(txn.left) var(txn.learned),field(1,:),sub(txn.now) if !passes"
    yield "  http-request allow if !passes !{ var(txn.left) -m int gt 0 }"
    yield "  http-request allow if !{ var(txn.place) -m found }"
    yield f"  acl overrides req.hdr_names(:) -m reg {_OVERRIDES}"
    yield f"  acl overrides query -m reg -i {_METHOD}"
    yield f"  acl overrides req.fhdr(content-type) -m beg -i {_FORMS}"
    yield "  http-request allow if !passes overrides"
    yield from _audited(plan)
    yield "  http-request set-header X-Auth-Token %[var(txn.token)] if passes"
    yield "  http-request set-header X-Scope %[var(txn.way),field(2,|)] if passes"
    yield "  http-request del-header X-Service-Token"
    yield f"  http-request del-header {_KEPT} -m reg if !passes {{ req.hdr_names(:) -m reg {_SOME_KEPT} }}"
    yield "  http-request del-header X-Scope if !passes"
    yield "  http-request set-header X-Auth-Token %[var(txn.learned),field(5,:)] if !passes"
    yield f"  http-request set-header X-Openstackoid-Hops {plan.cloud}"
    yield "  http-request set-header X-Openstack-Request-Id req-%[uuid()] if !{ req.fhdr(x-openstack-request-id) -m found }"
    if plan.log:
        yield "  http-request set-var(txn.request) req.fhdr(x-openstack-request-id)"
    yield "  http-request set-header Host %[var(txn.place),field(3,|)]"
    for service in front.services:
        if service.prefix:
            yield f"  http-request replace-path ^{_literal(service.prefix)}(/.*)?$ \\1 if {{ var(txn.service) -m str {service.kind} }}"
    yield "  http-request set-path %[var(txn.place),field(4,|)]%[path] if !{ var(txn.place),field(4,|) -m len 0 }"
    yield "  http-request set-var(txn.name) var(txn.place),field(5,|)"
    yield "  http-request set-dst var(txn.place),field(1,|)"
    yield "  http-request set-dst-port var(txn.place),field(2,|),mul(1)"
    yield "  http-request set-var(txn.to) str(peers)"
    yield "  http-request set-var(txn.to) str(peers_tls) if !{ var(txn.name) -m len 0 }"


def _inside(service: Service) -> str:
    """The condition that a path is a service's; with no prefix, always."""
    return f"{{ path -m reg {_below(service)} }}" if service.prefix else "TRUE"


def _audited(plan: Plan, condition: str = "") -> Iterator[str]:
    """A line of audit for what goes straight; for what does not, the gateway writes one."""
    if plan.log:
        yield f"  http-request set-log-level info{condition}"
        yield f"  http-request set-var(txn.path) path{condition}"


def _below(service: Service) -> str:
    return f"^{_literal(service.prefix)}(?:/|$)"


def _literal(text: str) -> str:
    """A text as a regular expression that means itself; without backslashes, which HAProxy's reader takes for its own."""
    return "".join(each if each.isalnum() or each == "/" else f"[{each}]" for each in text)


def _prefixed(front: Front, pattern: str) -> str:
    prefixes = "|".join(_literal(service.prefix) for service in front.services if service.prefix)
    return f"^(?:{prefixes})$ {pattern.replace('^/', f'^(?:{prefixes})?/', 1)}" if prefixes else pattern


def _shortest_first(front: Front) -> list[Service]:
    """The longest path that fits wins, as at the gateway: it is looked at last, and what it says replaces the rest."""
    return sorted(front.services, key=lambda service: len(service.prefix))


def _direct(front: Front) -> Iterator[str]:
    for service in reversed(_shortest_first(front)):
        if service.prefix:
            target = name_of(service.kind) if service.direct else "gateway"
            yield f"  use_backend {target} if {{ path -m reg ^{service.prefix}(?:/|$) }}"
    root = [service for service in front.services if not service.prefix]
    yield f"  default_backend {name_of(root[0].kind) if root and root[0].direct else 'gateway'}"


def _services(plan: Plan) -> list[Service]:
    return [service for front in plan.fronts for service in front.services]


def _service(plan: Plan, service: Service, *, once: bool = False) -> Iterator[str]:
    yield f"backend {name_of(service.kind)}{'_once' if once else ''}"
    if once:
        # After a chunked body WSGI servers lose their place in the connection: nobody else may get it.
        yield "  option http-server-close"
        yield "  http-reuse never"
    if service.https:
        yield "  http-request set-header X-Forwarded-Proto https"
    host = service.backend.rpartition(":")[0]
    # HAProxy compares names alone, so an IP address is believed if its certificate is signed.
    name = f" verifyhost {host} sni str({host})" if host.rpartition(".")[2].isalpha() else ""
    tls = f" ssl verify required ca-file {_ca(plan)}{name}" if service.tls else ""
    # Services close idle connections after 5 s (Apache) or 10 s (cheroot): leave them first.
    check = (
        f"track {name_of(service.kind)}/{service.kind}"
        if once
        else "check inter 2s fastinter 500ms downinter 500ms pool-purge-delay 3s"
    )
    yield f"  server {service.kind} {service.backend}{tls} {check}"
    # One that fails its checks may only be slow: who asks may try, and wait, as without HAProxy.
    yield f"  server {service.kind}_anyway {service.backend}{tls} backup"


def _gateway(plan: Plan) -> Iterator[str]:
    yield "backend gateway"
    for status in (502, 503):
        yield f"  errorfile {status} {plan.file('gateway.http')}"
    yield "  retries 0"
    yield "  # It says itself who was too slow."
    yield f"  timeout server {_seconds(plan.idle + plan.connect + _SLACK)}"
    yield "  http-request set-header X-Openstackoid-Client %[src]"
    yield "  # No port: the one that the client called."
    yield f"  server gateway {plan.gateway}"


def _peers(plan: Plan, *, tls: bool) -> Iterator[str]:
    yield f"backend peers{'_tls' if tls else ''}"
    # Many users share a connection to another cloud: over a WAN it is dear.
    yield "  http-reuse always"
    cut = _told(errors.PeerUnreachableError("PEER cannot be reached.")).replace("PEER", "%[var(txn.cloud)]")
    late = _told(errors.PeerTimeoutError("PEER did not answer in time.")).replace("PEER", "%[var(txn.cloud)]")
    yield f"  http-error status 502 {cut}"
    yield f"  http-error status 503 {cut} hdr {_MADE} 1"
    yield f"  http-error status 504 {late}"
    yield "  # What HAProxy itself calls unavailable is a peer that cannot be reached, as at the gateway."
    yield f"  http-after-response set-status 502 if {{ res.hdr({_MADE}) -m found }}"
    yield f"  http-after-response del-header {_MADE}"
    secure = f" ssl verify required ca-file {_ca(plan)} sni var(txn.name)" if tls else ""
    # All peers are one server to HAProxy, which would keep as many idle connections as one of them needs.
    yield f"  server peer 0.0.0.0:0{secure} pool-purge-delay 60s pool-low-conn 1000"


def _ca(plan: Plan) -> str:
    return str(plan.ca) if plan.ca else "@system-ca"


def _told(error: errors.OpenStackoidError) -> str:
    """An error in a `deny` rule: its JSON, quoted for HAProxy's reader and its log format."""
    body = json.dumps(error.body()).replace("%", "%%")
    quoted = body.replace("\\", "\\\\").replace('"', '\\"')
    return f'content-type application/json lf-string "{quoted}"'


def _raw(error: errors.OpenStackoidError) -> str:
    """An error as HAProxy sends it, head and all: so a refused connection is a 502, as at the gateway, and no 503."""
    body = json.dumps(error.body())
    title = error.body()["error"]["title"]
    return (
        f"HTTP/1.1 {error.status} {title}\r\nContent-Type: application/json\r\nCache-Control: no-cache\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    )


def _seconds(value: float) -> str:
    return f"{round(value * 1000)}ms"
