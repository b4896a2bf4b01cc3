"""Image data, straight to and from the cloud of another owner. Pure.

One kind of request goes there without the gateway: `GET` and `PUT PREFIX/v2/images/ID/file`. All other answers of another owner may hold
links that clients follow, or JSON in which only a program that reads it can tell a link from a name that a user gave: they pass the gateway.
The other side may be hostile, so nothing in an answer that goes straight can be followed or obeyed:

    status      2xx, 304, 4xx and 5xx; no other 3xx, nothing below 200 or above 599
    interim     none (RFC 9110, 15.2): HAProxy passes 1xx on past all rules for answers, so the connection ends instead, without an answer
    headers     those of `ANSWER`, and in their values nothing but printable characters; all others are taken out
    requests    the headers of `REQUEST`, and what HAProxy puts there; all others are taken out, a service's own token too

    tokens.map  TAIL OF THE TOKEN|file|SCOPE  ->  EXPIRY:USER:PROJECT:AGREEMENT:RCLOUD|image:::::TOKEN      (`maps`)
"""

from collections.abc import Iterator
from typing import Final

from openstackoid.core import border, errors
from openstackoid.haproxy import maps
from openstackoid.haproxy.patterns import RAW, image_data, other_than
from openstackoid.haproxy.plan import PEERS, TOKENS, Front, Plan

# HAProxy itself keeps the last one right: it says where a body ends.
REQUEST: Final = f"{border.REQUEST}|transfer-encoding"
ANSWER: Final = f"(?!(?:content-)?location$)(?:{border.ANSWER}|transfer-encoding)"
# For as long as an answer takes to begin: the time of the server ends it before. HAProxy's timers end after 24.8 days.
_FOREVER: Final = "24d"


def rules(plan: Plan, front: Front, asking: str) -> Iterator[str]:
    """What goes to another owner's cloud: image data of users whose token HAProxy was taught. All else is the gateway's.

    Args:
        plan: of the cloud.
        front: whose rules these are.
        asking: the sample of the token.
    """
    found = [service.prefix for service in front.services if service.kind == "image"]
    if not found:
        yield "  http-request allow if here || leaves"
        return
    yield f"  acl data url -m reg {image_data(found[0])}"
    yield "  http-request allow if here || !data leaves || { stopping } leaves"
    yield "  acl download method GET"
    yield "  acl upload method PUT"
    yield "  acl body req.fhdr(content-length) -m found"
    yield "  acl body req.fhdr(transfer-encoding) -m found"
    yield "  acl typed req.fhdr(content-type) -m found"
    yield f"  acl raw req.fhdr(content-type) -m reg {RAW}"
    yield (
        "  http-request allow if download body leaves || !download !upload leaves || typed !raw leaves || "
        "!{ req.ver 1.1 } leaves"
    )
    for name, token in (("learned", ""), ("learned_carried", ",field(1,!)")):
        yield (
            f"  acl {name} {asking}{token},bytes({maps.TAIL}),concat(|{maps.FILE}|,txn.scope),"
            f"map_str({plan.file(TOKENS)}),set-var(txn.learned),field(5,:),set-var(txn.way),bytes(1),"
            f"map_str({plan.file(PEERS)}),set-var(txn.place) -m found"
        )
    yield "  acl fresh date(0,ms),sub(txn.learned) -m int lt 0"
    yield "  # Only tokens that are bare were taught."
    yield (
        "  http-request allow if !carried bare learned fresh for_peer leaves || carried learned_carried fresh for_peer leaves || leaves"
    )


def requested() -> Iterator[str]:
    """What is changed of a request, before HAProxy says who sends it."""
    yield f"  http-request del-header {other_than(REQUEST)} -m reg"
    yield f"  http-request set-header X-Auth-Token %[var(txn.learned),bytes({maps.HEAD})]"


def answered(refused: str) -> Iterator[str]:
    """What is looked at, and changed, of an answer.

    Args:
        refused: of a `deny` rule, what the client reads.
    """
    yield "  # Interim answers pass by all other rules. An unasked 101 HAProxy itself refuses."
    yield f"  tcp-response inspect-delay {_FOREVER}"
    yield "  tcp-response content reject if { status 100 102:199 }"
    yield "  acl harmless status 200:299 304 400:599"
    yield f"  http-response deny deny_status 502 {refused} if !harmless"
    yield f"  http-response del-header {other_than(ANSWER)} -m reg"
    yield "  acl clean res.hdrs -m reg ^[[:print:]\\r\\n]*$"
    yield f"  http-response deny deny_status 502 {refused} if !clean"


def leads_away(cloud: str) -> errors.OpenStackoidError:
    """The error that a client reads instead of such an answer.

    Args:
        cloud: name of the other cloud.
    """
    return errors.PeerLeadsAwayError(
        f"{cloud} answered a request for image data with a redirect, or with a status or a header that HTTP does not know. Nothing of it was passed on."
    )
