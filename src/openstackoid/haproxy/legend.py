"""The meaning of the rules' variables: the table at the head of the rendered configuration. Pure.

A rule sets a variable by looking it up: an ACL whose name begins with `set_` sets one as a side effect of being evaluated, and is true if it
could. HAProxy evaluates the conditions of a rule from the left and stops at the first that is false, so the order of conditions matters.
"""

from collections.abc import Iterator
from typing import Final

_VARIABLES: Final = (
    ("txn.away", "set: not straight to the service; to a peer if txn.peer is set too, or else to the gateway"),
    ("txn.peer", "set: to another cloud, at txn.place"),
    ("txn.once", "set: the body is chunked; the connection to the service is closed after it"),
    ("txn.scope", "text of the scope: of X-Scope, or of the token"),
    ("txn.carried", "set: the scope came on the token (TOKEN!SCOPE!...), not in X-Scope"),
    ("txn.region", "name of the region in the path of its image data"),
    ("txn.leased", "until when all maps count, in Unix milliseconds (leased.map)"),
    ("txn.service", "official type of the service that is asked"),
    ("txn.here", "found in here.map: this cloud serves it; what goes on the token"),
    (
        "txn.way",
        "where the scope leads: T or R, the peer's name, |, the service (ways.map, tokens.map); or as txn.here",
    ),
    ("txn.learned", "found in tokens.map or visitors.map: expiry, ids for the audit, the token to send instead"),
    ("txn.place", "found in peers.map: T (TLS) or P (plain), path, address, port, host, name in the certificate"),
    ("txn.home", "the cloud of a foreign user"),
    ("txn.to", "backend of an image download by a foreign user"),
    ("txn.request, txn.path", "for the line of audit: X-Openstack-Request-Id, and the path"),
    ("sess.id", "first 24 characters of the request ids that are made on this connection"),
)


def table() -> Iterator[str]:
    """Comments: one line a variable."""
    yield "# Variables that the rules set; ACLs named set_... set one when they are evaluated, and are true if they could:"
    width = max(len(name) for name, _ in _VARIABLES)
    yield from (f"#   {name.ljust(width)}  {meaning}" for name, meaning in _VARIABLES)
    yield "# `allow` ends the rules of a frontend; use_backend at its end says where the request goes."
