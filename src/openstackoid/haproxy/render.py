"""HAProxy's configuration as text. Pure.

A request without a scope goes directly to the service, as in a plain HAProxy: three conditions decide that (`rules`). Of the other requests, those
with an entry in the maps bypass the gateway as well (`taught`, `other_owners`); the rest go to the gateway, which teaches new entries. There is
no Lua: entering Lua costs more than all of these rules.

Every name in here was checked by the gateway's configuration; nothing from a request reaches this text.
"""

from collections.abc import Iterator
from typing import Final

from openstackoid.core import errors
from openstackoid.haproxy import image_downloads, other_owners
from openstackoid.haproxy.answers import deny_text, error_file
from openstackoid.haproxy.legend import table
from openstackoid.haproxy.maps import MAX_SCOPE
from openstackoid.haproxy.peer_requests import CLOUD, rewritten
from openstackoid.haproxy.plan import HERE, LEASED, PEERS, TOKENS, VISITORS, WAYS, Front, Images, Plan, Service
from openstackoid.haproxy.routes import name_of, targets
from openstackoid.haproxy.rules import front_rules

# Room for a federated token and an explicit scope that replace those of the request.
_BUFFER_SIZE: Final = 32768
_REWRITE_ROOM: Final = 8192
_GATEWAY_EXTRA: Final = 10.0  # seconds
_MAX_HEADERS: Final = 1000
# One line of audit for what goes straight, as the gateway writes it for the rest; `way` is the map's letter. The longest field, which a
# client writes, stands last: a line that is cut on its way (by a syslog server) has lost nothing else.
_AUDIT: Final = (
    '{"time":"%[date,utime(%Y-%m-%dT%H:%M:%SZ)]","cloud":"CLOUD","by":"haproxy","status":%ST,"service":"%[var(txn.service)]",'
    '"way":"%[var(txn.way),bytes(0,1)]","peer":"%[PEER]","user":"%[var(txn.learned),field(2,:)]",'
    '"project":"%[var(txn.learned),field(3,:)]","agreement":"%[var(txn.learned),field(4,:)]","client":"%ci","ms":%Ta,'
    f'"global_request_id":"%[var(txn.request),json(utf8s)]","method":"%HM","path":"%[var(txn.path),{image_downloads.BOUNDED}]"}}'
)
_MADE_HERE: Final = "X-Openstackoid-Made"


def render(plan: Plan) -> str:
    """The whole configuration."""
    parts = [
        _global(plan),
        _defaults(plan),
        *([_exporter(plan.metrics)] if plan.metrics else []),
        *(_frontend(plan, number, front) for number, front in enumerate(plan.fronts)),
        *(
            _service(plan, service, once=once)
            for service in _services(plan)
            if service.direct
            for once in (False, True)
        ),
        *(_visitors(plan, front.images) for front in plan.fronts if front.images),
        _gateway(plan),
        *(_peers(plan, passes=passes, tls=tls) for passes in (True, False) for tls in (False, True)),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def files(plan: Plan) -> dict[str, str]:
    """Name -> text of every file but the certificates: configuration, empty maps, errors."""
    return {
        "haproxy.cfg": render(plan),
        HERE: "",
        WAYS: "",
        TOKENS: "",
        PEERS: "",
        VISITORS: "",
        LEASED: "",
        "unavailable.http": error_file(errors.BackendUnreachableError("The service does not answer.")),
        "service-timeout.http": error_file(errors.BackendTimeoutError("The service did not answer in time.")),
        "gateway.http": error_file(errors.BackendUnreachableError(f"{plan.cloud}'s gateway does not answer.")),
        "malformed.http": error_file(
            errors.BadRequestError("Expected a request in HTTP, with a head of less than 24 KiB.")
        ),
    }


def _global(plan: Plan) -> list[str]:
    return [
        "# Written by openstackoid haproxy render: change the gateway's configuration instead.",
        *table(),
        "global",
        f"  stats socket {plan.socket} mode 600 level admin expose-fd listeners",
        "  log stderr format raw local1 notice",
        *([f"  nbthread {plan.threads}"] if plan.threads else []),
        f"  tune.bufsize {_BUFFER_SIZE}",
        f"  tune.maxrewrite {_REWRITE_ROOM}",
        # What is over it HAProxy answers with a page of its own, so the size of the head is the limit.
        f"  tune.http.maxhdr {_MAX_HEADERS}",
        # HAProxy's own HTTP client, which nothing here uses, reads the system's authorities at each start: more work than all the rest of it.
        *([f"  httpclient.ssl.ca-file {plan.ca}"] if plan.ca else []),
        "  ssl-default-bind-options ssl-min-ver TLSv1.2",
        "  ssl-default-server-options ssl-min-ver TLSv1.2",
        # A reload closes no connection by itself: a request might be under way. The next answer announces the close.
        "  close-spread-time infinite",
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


def _exporter(address: str) -> list[str]:
    return [
        "# Counts what goes straight, which the gateway never sees: rates and times of each frontend and backend below.",
        "frontend metrics",
        f"  bind {address}",
        "  http-request use-service prometheus-exporter if { path /metrics }",
        "  http-request deny deny_status 404",
    ]


def _frontend(plan: Plan, number: int, front: Front) -> Iterator[str]:
    yield f"frontend front_{number}"
    tls = f" ssl crt {front.certificate}" if front.certificate else ""
    yield f"  bind {front.address}{tls}"
    if plan.log:
        yield f"  log {plan.log} len {image_downloads.MAX_LINE} format raw daemon info"
        audit = _AUDIT.replace("PEER", CLOUD) if front.services else image_downloads.AUDIT
        yield f"  log-format '{audit.replace('CLOUD', plan.cloud)}'"
    yield "  http-after-response set-header Connection close if { stopping }"
    if not front.services:
        yield "  # Other clouds' gateways call here: who they are, the gateway says, and it writes the audit; but for image data."
        if plan.log:
            yield "  http-request set-log-level silent"
        if front.images:
            yield from image_downloads.rules(plan, front.images)
            yield "  use_backend %[var(txn.to)] if { var(txn.to) -m found }"
        yield "  default_backend gateway"
        return
    yield from front_rules(plan, front)
    yield from targets(front)


def _services(plan: Plan) -> list[Service]:
    return [service for front in plan.fronts for service in front.services]


def _service(plan: Plan, service: Service, *, once: bool = False) -> Iterator[str]:
    yield f"backend {name_of(service.kind)}{'_once' if once else ''}"
    if once:
        # After a chunked body WSGI servers lose their place in the connection: no other request may use it.
        yield "  option http-server-close"
        yield "  http-reuse never"
    if service.https:
        plain = f" if !{{ req.hdr(host) -i {' '.join(service.inside)} }}" if service.inside else ""
        yield f"  http-request set-header X-Forwarded-Proto https{plain}"
    tracked = f"{name_of(service.kind)}/{service.kind}" if once else None
    yield from _servers(plan, service.kind, service.backend, tls=service.tls, tracked=tracked)


def _visitors(plan: Plan, images: Images) -> Iterator[str]:
    yield f"backend {image_downloads.BACKEND}"
    yield from image_downloads.changes(plan, images)
    tracked = f"{name_of('image')}/image" if images.checked else None
    yield from _servers(plan, "image", images.backend, tls=images.tls, tracked=tracked)


def _servers(plan: Plan, kind: str, backend: str, *, tls: bool, tracked: str | None) -> Iterator[str]:
    host = backend.rpartition(":")[0]
    # HAProxy compares names only, so a host given as IP address is trusted if its certificate is signed.
    name = f" verifyhost {host} sni str({host})" if host.rpartition(".")[2].isalpha() else ""
    secure = f" ssl verify required ca-file {_ca(plan)}{name}" if tls else ""
    check = f"track {tracked}" if tracked else "check inter 2s fastinter 500ms downinter 500ms"
    # Services close idle connections after 5 s (Apache) or 10 s (cheroot): leave them first.
    yield f"  server {kind} {backend}{secure} {check} pool-purge-delay 3s"
    # A service that fails its checks may only be slow: clients may try, and wait, as without HAProxy.
    yield f"  server {kind}_anyway {backend}{secure} backup"


def _gateway(plan: Plan) -> Iterator[str]:
    yield "backend gateway"
    for status in (502, 503):
        yield f"  errorfile {status} {plan.file('gateway.http')}"
    yield "  retries 0"
    yield "  # It says itself who was too slow."
    yield f"  timeout server {_seconds(plan.idle + plan.connect + _GATEWAY_EXTRA)}"
    long = deny_text(errors.BadRequestError(f"Expected a scope of {MAX_SCOPE} characters at most."))
    yield f"  http-request deny deny_status 400 {long} if {{ var(txn.scope),length -m int gt {MAX_SCOPE} }}"
    yield "  http-request set-header X-Openstackoid-Client %[src]"
    yield "  # No port: the one that the client called."
    yield f"  server gateway {plan.gateway}"


def _peers(plan: Plan, *, passes: bool, tls: bool) -> Iterator[str]:
    yield f"backend {'own' if passes else 'others'}{'_tls' if tls else ''}"
    yield from rewritten(plan, passes=passes)
    # Many users share a connection to another cloud: over a WAN a new one is expensive.
    yield "  http-reuse always"
    cut = deny_text(errors.PeerUnreachableError("PEER cannot be reached.")).replace("PEER", f"%[{CLOUD}]")
    late = deny_text(errors.PeerTimeoutError("PEER did not answer in time.")).replace("PEER", f"%[{CLOUD}]")
    yield f"  http-error status 502 {cut}"
    yield f"  http-error status 503 {cut} hdr {_MADE_HERE} 1"
    yield f"  http-error status 504 {late}"
    if not passes:
        refused = deny_text(other_owners.leads_away("PEER")).replace("PEER", f"%[{CLOUD}]")
        yield from other_owners.answered(refused)
    yield "  # What HAProxy itself calls unavailable is a peer that cannot be reached, as at the gateway."
    yield f"  http-after-response allow if !{{ status 503 }} || !{{ res.hdr({_MADE_HERE}) -m found }}"
    yield "  http-after-response set-status 502"
    yield f"  http-after-response del-header {_MADE_HERE}"
    secure = f" ssl verify required ca-file {_ca(plan)} sni var(txn.place),field(-1,|)" if tls else ""
    # All peers are one server to HAProxy, which would otherwise keep only as many idle connections as one peer needs.
    yield f"  server peer 0.0.0.0:0{secure} pool-purge-delay 60s pool-low-conn 1000"


def _ca(plan: Plan) -> str:
    return str(plan.ca) if plan.ca else "@system-ca"


def _seconds(value: float) -> str:
    return f"{round(value * 1000)}ms"
