"""What gateways, clients and HAProxy call things on the wire: headers, the mark of a scope on a token, and our own paths. Pure.

One copy for the gateway, the rendered HAProxy, the client plugin, oaktree, the operators' commands and the lab.
"""

from typing import Final

# OpenStack's headers.
AUTH: Final = "X-Auth-Token"
SUBJECT: Final = "X-Subject-Token"
SERVICE: Final = "X-Service-Token"
REQUEST_ID: Final = "X-Openstack-Request-Id"

# Ours. SCOPE comes from users; gateways and HAProxy alone send the others, and dropped where they come from outside.
SCOPE: Final = "X-Scope"
OURS: Final = "X-Openstackoid-"
OF_SEVERAL: Final = f"{SCOPE}-"  # wishes of a request to several clouds, and what its answer says of them
HOPS: Final = f"{OURS}Hops"
CLIENT: Final = f"{OURS}Client"
ASSERTION: Final = f"{OURS}Assertion"

MARK: Final = "!SCOPE!"  # between a token and the scope that it carries

# Our own paths.
SCOPED_PREFIX: Final = "/scope/"  # with a saved scope's name behind it
OWN_PREFIX: Final = "/openstackoid/"
WELL_KNOWN_PATH: Final = "/.well-known/openstackoid"
AGREEMENT_PATH: Final = f"{OWN_PREFIX}v1/agreement"
EXCHANGE_PATH: Final = f"{OWN_PREFIX}v1/token"
PEERS_PATH: Final = f"{OWN_PREFIX}v1/peers"
EXPLAIN_PATH: Final = f"{OWN_PREFIX}v1/explain"
OFFERS_PATH: Final = f"{OWN_PREFIX}v1/regions/offers"
MESSAGES_PATH: Final = f"{OWN_PREFIX}v1/regions/messages"

# RFC 9110, 7.6.1. Trailer fields are not passed on, so neither is their announcement; the gateway answers Expect itself.
HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Headers that decide who asks for what: neither named by Connection nor spelled with underscores do they pass as something else.
GUARDED: Final = frozenset(
    {
        *(name.lower() for name in (AUTH, SUBJECT, SERVICE, SCOPE, REQUEST_ID)),
        *("content-type", "content-length"),
    }
)
# Headers that may stand in a request once: two readers could believe two different ones.
ONCE: Final = (AUTH, SUBJECT, SERVICE, SCOPE, HOPS, ASSERTION, "Content-Length", "Content-Type", "Host")
