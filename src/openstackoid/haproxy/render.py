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
_OWN: Final = "/scope/ /openstackoid/ /.well-known/openstackoid"
# In the names of a request's headers: an underscore (WSGI takes it for a dash), one of ours, a header of those twice that decide.
_DANGER: Final = "_|(?:^|:)x-openstackoid|" + "|".join(
    f"(?:^|:){each}:(?:.*:)?{each}(?::|$)" for each in ("x-auth-token", "x-service-token", "x-subject-token", "x-scope")
)
# Paths of the gateway itself, and version documents, which the entry cloud answers when the scope cannot be served.
_APART: Final = "^/(?:scope/|openstackoid/|[.]well-known/openstackoid|(?:v[0-9]+(?:[.][0-9]+)?/?)?$)"

# The token itself is replaced.
_KEPT: Final = PRIVATE.replace("x-auth-.*", "x-auth-(?!token$).*")


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
        "gateway.http": _raw(errors.BackendUnreachableError("The gateway, which reads this scope, does not answer.")),
        "peer.http": _raw(errors.PeerUnreachableError("The other cloud's gateway cannot be reached.")),
        "peer-timeout.http": _raw(errors.PeerTimeoutError("The other cloud's gateway did not answer in time.")),
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
        "  close-spread-time 1s",
        f"  hard-stop-after {_seconds(plan.grace)}",
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
        f"  errorfile 400 {plan.file('malformed.http')}",
        f"  errorfile 503 {plan.file('unavailable.http')}",
        f"  errorfile 504 {plan.file('service-timeout.http')}",
    ]


def _frontend(plan: Plan, number: int, front: Front) -> Iterator[str]:
    yield f"frontend front_{number}"
    tls = f" ssl crt {front.certificate}" if front.certificate else ""
    yield f"  bind {front.address}{tls}"
    if not front.services:
        yield "  # Other clouds' gateways call here: who they are, the gateway says."
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
        yield (
            f"  http-request deny deny_status 400 {told} "
            "if { path -m reg -i (?:/|%2f|%5c)(?:[.]|%2e){1,2}(?:/|%2f|%5c|$) }"
        )
    yield f"  acl own path_beg {_OWN}"
    yield "  acl scoped req.fhdr(x-scope) -m found"
    yield f"  acl odd req.hdr_names(:) -m reg -i (?:^|:)transfer-encoding(?::|$)|{_DANGER}"
    yield "  acl ticket req.fhdr(x-auth-token) -m reg ^eyJ|!"
    if _holds(front, "identity"):
        yield "  # Federated tokens are validated by the gateway, and it must hear of those that are revoked."
        yield "  acl ticket req.fhdr(x-subject-token) -m reg ^eyJ|!"
        yield "  acl ticket method DELETE"
    yield "  http-request allow if !odd !ticket !own !scoped"
    yield "  http-request set-var(txn.to) str(gateway)"
    yield f"  acl danger req.hdr_names(:) -m reg -i {_DANGER}"
    yield "  acl chunked req.hdr(transfer-encoding) -m found"
    for service in front.services:
        if service.direct:
            yield (
                f"  http-request set-var(txn.to) str({name_of(service.kind)}_once) if chunked !danger !ticket !own !scoped"
                f"{_inside(service)}"
            )
    yield "  http-request allow if chunked !danger !ticket !own !scoped"
    yield f"  acl apart path_reg {_prefixed(front, _APART)}"
    yield "  acl visitor req.fhdr(x-auth-token) -m beg eyJ"
    yield "  acl visitor req.fhdr(x-subject-token) -m found"
    yield "  acl visitor req.fhdr(x-auth-token) -m len 0"
    yield "  acl visitor req.fhdr_cnt(x-auth-token) eq 0"
    yield "  http-request allow if danger || apart || visitor"
    yield "  http-request set-var(txn.scope) req.fhdr(x-scope) if scoped"
    yield "  http-request set-var(txn.scope) req.fhdr(x-auth-token),field(3,!,0) if !scoped"
    long = _told(errors.BadRequestError(f"Expected a scope of {LONGEST_SCOPE} characters at most."))
    yield f"  http-request deny deny_status 400 {long} if {{ var(txn.scope),length -m int gt {LONGEST_SCOPE} }}"
    yield from _known(plan, front)
    yield from _there(plan, front)


def _known(plan: Plan, front: Front) -> Iterator[str]:
    """What the gateway taught of a scope, and the commonest: it leads here."""
    ways = plan.file(WAYS)
    if len(front.services) == 1 and not front.services[0].prefix:
        yield f"  http-request set-var(txn.service) str({front.services[0].kind})"
    else:
        for service in front.services:
            yield f"  http-request set-var(txn.service) str({service.kind}) if {{ path -m reg {_below(service)} }}"
    for mode, condition in (("R", "{ method GET HEAD OPTIONS }"), ("W", "!{ method GET HEAD OPTIONS }")):
        yield (
            f"  http-request set-var(txn.way) var(txn.service),concat(|{mode}|,txn.scope),map_str({ways}) if {condition}"
        )
    yield "  http-request allow if !{ var(txn.way) -m found }"
    yield "  # Here: the scope follows the workflow on the token; Keystone reads plain ones."
    yield "  acl here var(txn.way) -m beg L P"
    yield "  http-request set-header X-Auth-Token %[req.fhdr(x-auth-token),field(1,!)]%[var(txn.way),bytes(1)] if here"
    yield "  http-request del-header X-Scope if here"
    yield "  http-request unset-var(txn.to) if here"
    for service in front.services:
        if service.direct:
            yield f"  http-request set-var(txn.to) str({name_of(service.kind)}_once) if here chunked{_inside(service)}"
    yield "  http-request allow if here"


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
    yield "  http-request set-var(txn.now) date() if !passes"
    yield "  http-request set-var(txn.left) var(txn.learned),field(1,:),sub(txn.now) if !passes"
    yield "  http-request allow if !passes !{ var(txn.left) -m int gt 0 }"
    yield "  http-request allow if !{ var(txn.place) -m found }"
    yield "  http-request set-header X-Auth-Token %[var(txn.token)] if passes"
    yield "  http-request set-header X-Scope %[var(txn.way),field(2,|)] if passes"
    yield "  http-request del-header X-Service-Token"
    yield f"  http-request del-header {_KEPT} -m reg if !passes"
    yield "  http-request del-header X-Scope if !passes"
    yield "  http-request set-header X-Auth-Token %[var(txn.learned),field(2,:)] if !passes"
    yield f"  http-request set-header X-Openstackoid-Hops {plan.cloud}"
    yield "  http-request set-header X-Openstack-Request-Id req-%[uuid()] if !{ req.fhdr(x-openstack-request-id) -m found }"
    yield "  http-request set-header Host %[var(txn.place),field(3,|)]"
    for service in front.services:
        if service.prefix:
            yield f"  http-request replace-path ^{service.prefix}(/.*)?$ \\1 if {{ var(txn.service) -m str {service.kind} }}"
    yield "  http-request set-path %[var(txn.place),field(4,|)]%[path] if !{ var(txn.place),field(4,|) -m len 0 }"
    yield "  http-request set-var(txn.name) var(txn.place),field(5,|)"
    yield "  http-request set-dst var(txn.place),field(1,|)"
    yield "  http-request set-dst-port var(txn.place),field(2,|),mul(1)"
    yield "  http-request set-var(txn.to) str(peers)"
    yield "  http-request set-var(txn.to) str(peers_tls) if !{ var(txn.name) -m len 0 }"


def _holds(front: Front, kind: str) -> bool:
    return any(service.kind == kind for service in front.services)


def _inside(service: Service) -> str:
    return f" {{ path -m reg {_below(service)} }}" if service.prefix else ""


def _below(service: Service) -> str:
    return f"^{service.prefix}(?:/|$)"


def _prefixed(front: Front, pattern: str) -> str:
    prefixes = "|".join(service.prefix for service in front.services if service.prefix)
    return pattern.replace("^/", f"^(?:{prefixes})?/", 1) if prefixes else pattern


def _direct(front: Front) -> Iterator[str]:
    for service in front.services:
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
    secure = any(front.certificate for front in plan.fronts if service in front.services)
    if secure:
        yield "  http-request set-header X-Forwarded-Proto https"
    tls = f" ssl verify required ca-file {_ca(plan)}" if service.tls else ""
    # Services close idle connections after 5 s (Apache) or 10 s (cheroot): leave them first.
    check = f"track {name_of(service.kind)}/{service.kind}" if once else "check inter 2s pool-purge-delay 3s"
    yield f"  server {service.kind} {service.backend}{tls} {check}"


def _gateway(plan: Plan) -> Iterator[str]:
    yield "backend gateway"
    yield f"  errorfile 503 {plan.file('gateway.http')}"
    yield "  http-request set-header X-Openstackoid-Client %[src]"
    yield "  # No port: the one that the client called."
    yield f"  server gateway {plan.gateway}"


def _peers(plan: Plan, *, tls: bool) -> Iterator[str]:
    yield f"backend peers{'_tls' if tls else ''}"
    # Many users share a connection to another cloud: over a WAN it is dear.
    yield "  http-reuse always"
    yield f"  errorfile 503 {plan.file('peer.http')}"
    yield f"  errorfile 504 {plan.file('peer-timeout.http')}"
    secure = f" ssl verify required ca-file {_ca(plan)} sni var(txn.name)" if tls else ""
    yield f"  server peer 0.0.0.0:0{secure} pool-purge-delay 60s"


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
