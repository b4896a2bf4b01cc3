"""HAProxy's changes to a request to another cloud, and the request's destination. Pure."""

from collections.abc import Iterator
from typing import Final

from openstackoid.core.request_ids import PATTERN
from openstackoid.haproxy import other_owners
from openstackoid.haproxy.patterns import literal
from openstackoid.haproxy.plan import Plan
from openstackoid.haproxy.taught import audited

# The peer that an entry leads to; empty if it leads to this cloud.
CLOUD: Final = "var(txn.way),bytes(1),field(1,|)"


def rewritten(plan: Plan, *, passes: bool) -> Iterator[str]:
    """Rules of a backend of peers: of the same owner, where the user's token passes, or of another one, where it is replaced."""
    yield from audited(plan)
    for service in (service for front in plan.fronts for service in front.services if service.prefix):
        yield f"  http-request replace-path ^{literal(service.prefix)}(/.*)?$ \\1 if {{ var(txn.service) -m str {service.kind} }}"
    if passes:
        yield "  http-request del-header X-Service-Token"
        yield "  http-request replace-header X-Auth-Token ^([^!]*).*$ \\1 if { var(txn.carried) -m found }"
        yield "  http-request set-header X-Scope %[var(txn.way),field(2,!)]"
    else:
        yield from other_owners.requested()
    yield "  # None came: such requests are the gateway's."
    yield f"  http-request add-header X-Openstackoid-Hops {plan.cloud}"
    yield f"  acl has_request_id req.fhdr(x-openstack-request-id) -m reg ^{PATTERN}$"
    yield "  # The first one reads sess.id, the second makes it."
    yield "  acl has_session_id var(sess.id) -m found"
    yield "  acl has_session_id uuid(),bytes(0,24),set-var(sess.id) -m found"
    yield "  # The microsecond, in twelve digits: the same again after ten days."
    yield (
        "  http-request set-header X-Openstack-Request-Id req-%[var(sess.id)]%[date(0,us),mod(900000000000),add(100000000000)] "
        "if !has_request_id has_session_id"
    )
    if plan.log:
        yield "  http-request set-var(txn.request) req.fhdr(x-openstack-request-id)"
    yield "  http-request set-header Host %[var(txn.place),field(4,|)]"
    yield "  http-request set-path %[var(txn.place),field(1,|),bytes(1)]%[path] if !{ var(txn.place),field(1,|) -m len 1 }"
    yield "  http-request set-dst var(txn.place),field(2,|)"
    yield "  http-request set-dst-port var(txn.place),field(3,|)"
