"""Image data, directly to and from the cloud of another owner, without the gateway. Pure.

One kind of request goes there without the gateway: `GET` and `PUT PREFIX/v2/images/ID/file`. All other answers of another owner may hold
links that clients follow, or JSON in which only a program that reads it can tell a link from a name that a user gave: they pass the gateway.
The other side may be hostile, so an answer that bypasses the gateway holds nothing that a client would follow or obey:

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

# HAProxy itself keeps the last one correct: it determines where a body ends.
REQUEST: Final = f"{border.REQUEST}|transfer-encoding"
ANSWER: Final = f"(?!(?:content-)?location$)(?:{border.ANSWER}|transfer-encoding)"
# For as long as an answer takes to begin: the time of the server ends it before. HAProxy's timers end after 24.8 days.
_FOREVER: Final = "24d"


def rules(plan: Plan, front: Front, asking: str) -> Iterator[str]:
    """Rules for requests to another owner's cloud: image data of users whose token HAProxy was taught. All other requests go to the gateway.

    Args:
        plan: of the cloud.
        front: whose rules these are.
        asking: the sample of the token.
    """
    prefixes = [service.prefix for service in front.services if service.kind == "image"]
    if not prefixes:
        yield "  http-request allow if leads_here || set_away"
        return
    yield "  # To another owner's cloud: image data, and nothing else. All that is not exactly so is the gateway's."
    yield f"  acl image_data url -m reg {image_data(prefixes[0])}"
    yield "  http-request allow if leads_here || !image_data set_away || { stopping } set_away"
    yield "  acl download method GET"
    yield "  acl upload method PUT"
    yield "  acl has_body req.fhdr(content-length) -m found"
    yield "  acl has_body req.fhdr(transfer-encoding) -m found"
    yield "  # A content type under which no service reads the body as a form, or none."
    yield "  acl has_content_type req.fhdr(content-type) -m found"
    yield f"  acl raw_content_type req.fhdr(content-type) -m reg {RAW}"
    yield (
        "  http-request allow if download has_body set_away || !download !upload set_away || has_content_type !raw_content_type set_away || "
        "!{ req.ver 1.1 } set_away"
    )
    yield "  # The token to send instead, by the end of the user's own and the scope; and where the peer is. Without and with a scope on the token."
    for name, token in (("set_learned", ""), ("set_learned_scoped", ",field(1,!)")):
        yield (
            f"  acl {name} {asking}{token},bytes({maps.TAIL_START}),concat(|{maps.FILE}|,txn.scope),"
            f"map_str({plan.file(TOKENS)}),set-var(txn.learned),field(5,:),set-var(txn.way),bytes(1),"
            f"map_str({plan.file(PEERS)}),set-var(txn.place) -m found"
        )
    yield "  acl token_in_force date(0,ms),sub(txn.learned) -m int lt 0"
    yield "  # Only tokens that are bare were taught."
    yield (
        "  http-request allow if !scope_on_token bare_token set_learned token_in_force set_peer set_away || "
        "scope_on_token set_learned_scoped token_in_force set_peer set_away || set_away"
    )


def requested() -> Iterator[str]:
    """Rules that change a request, before HAProxy adds the sender."""
    yield f"  http-request del-header {other_than(REQUEST)} -m reg"
    yield f"  http-request set-header X-Auth-Token %[var(txn.learned),bytes({maps.PREFIX_WIDTH})]"


def answered(refused: str) -> Iterator[str]:
    """Rules that check and change an answer.

    Args:
        refused: arguments of a `deny` rule: the error that the client reads.
    """
    yield "  # Interim answers pass by all other rules. An unasked 101 HAProxy itself refuses."
    yield f"  tcp-response inspect-delay {_FOREVER}"
    yield "  tcp-response content reject if { status 100 102:199 }"
    yield "  # Nothing that a client follows or obeys."
    yield "  acl allowed_status status 200:299 304 400:599"
    yield f"  http-response deny deny_status 502 {refused} if !allowed_status"
    yield f"  http-response del-header {other_than(ANSWER)} -m reg"
    yield "  acl printable_headers res.hdrs -m reg ^[[:print:]\\r\\n]*$"
    yield f"  http-response deny deny_status 502 {refused} if !printable_headers"


def leads_away(cloud: str) -> errors.OpenStackoidError:
    """The error that a client reads instead of such an answer.

    Args:
        cloud: name of the other cloud.
    """
    return errors.PeerLeadsAwayError(
        f"{cloud} answered a request for image data with a redirect, or with a status or a header that HTTP does not know. Nothing of it was passed on."
    )
