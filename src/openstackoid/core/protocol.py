"""Names of the wire protocol: headers, the mark between a token and its scope, and our own paths. Pure.

One copy for the gateway, the rendered HAProxy, the client plugin, oaktree, the operators' commands and the lab.
"""

from typing import Final

# OpenStack's headers.
AUTH: Final = "X-Auth-Token"
SUBJECT: Final = "X-Subject-Token"
SERVICE: Final = "X-Service-Token"
REQUEST_ID: Final = "X-Openstack-Request-Id"

# Ours. Users send SCOPE; only gateways and HAProxy send the others, which are dropped from requests from outside.
SCOPE: Final = "X-Scope"
OURS: Final = "X-Openstackoid-"
OF_SEVERAL: Final = f"{SCOPE}-"  # options of a request to several clouds, and the description of its answer
HOPS: Final = f"{OURS}Hops"
CLIENT: Final = f"{OURS}Client"
ASSERTION: Final = f"{OURS}Assertion"
CONTRACT: Final = f"{OURS}Contract"  # beside a user's own token, between two clouds of one owner

MARK: Final = "!SCOPE!"  # between a token and the scope that it carries

# Our own paths.
SCOPED_PREFIX: Final = "/scope/"  # followed by a saved scope's name
OWN_PREFIX: Final = "/openstackoid/"
WELL_KNOWN_PATH: Final = "/.well-known/openstackoid"
AGREEMENT_PATH: Final = f"{OWN_PREFIX}v1/agreement"
EXCHANGE_PATH: Final = f"{OWN_PREFIX}v1/token"
GONE_PROJECTS_PATH: Final = f"{OWN_PREFIX}v1/projects"
PEERS_PATH: Final = f"{OWN_PREFIX}v1/peers"
EXPLAIN_PATH: Final = f"{OWN_PREFIX}v1/explain"
SCOPES_PATH: Final = f"{OWN_PREFIX}v1/scopes"
REPLICAS_PATH: Final = f"{OWN_PREFIX}v1/replicas"
AUDIT_PATH: Final = f"{OWN_PREFIX}v1/audit"
AGREEMENTS_PATH: Final = f"{OWN_PREFIX}v1/agreements"
COPIES_PATH: Final = f"{OWN_PREFIX}v1/copies"
OFFERS_PATH: Final = f"{OWN_PREFIX}v1/regions/offers"
MESSAGES_PATH: Final = f"{OWN_PREFIX}v1/regions/messages"
PROJECTS_PATH: Final = f"{OWN_PREFIX}v1/regions/projects"
RESOURCES_PATH: Final = f"{OWN_PREFIX}v1/regions/resources"
USAGE_PATH: Final = f"{OWN_PREFIX}v1/regions/usage"

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
# Headers that identify the caller and the request: naming them in Connection does not remove them, and underscore spellings are dropped.
GUARDED: Final = frozenset(
    {
        *(name.lower() for name in (AUTH, SUBJECT, SERVICE, SCOPE, REQUEST_ID)),
        *("content-type", "content-length"),
    }
)
# Headers that may occur in a request once: two readers could use two different ones.
ONCE: Final = (AUTH, SUBJECT, SERVICE, SCOPE, HOPS, ASSERTION, CONTRACT, "Content-Length", "Content-Type", "Host")
