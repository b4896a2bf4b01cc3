"""Headers that may cross the border between two owners' clouds, by name; all others are removed.

This is a list of allowed headers, not of forbidden ones: credentials, proxies and browsers have more headers than can be listed. The names come
from RFC 9110 and 9111, and from what OpenStack's services read and write: keystoneauth1 (adapter.py), glance (api/v2/images.py),
swift (doc/source/api), python-designateclient (v2/client.py), zaqar (transport/wsgi/v2_0), manila, ironic, tacker.

The patterns are for Python and for HAProxy (PCRE2) alike: names in lower case as they stand, since only a name with a dash is the known one.
An underscore passes where the user chooses the rest of the name: metadata of objects.
"""

import re
from typing import Final

from openstackoid.core.remembered import remembered

# Swift reserves headers with these prefixes for itself (swift/common/middleware/gatekeeper.py).
_OBJECTS: Final = "(?:account|container|object)-(?!(?:transient-)?sysmeta)[^:]+"

_REQUEST_NAMES: Final = (
    "host",
    "content-(?:type|length|encoding|language|disposition|md5)",
    "accept(?:-charset|-encoding|-language)?",
    # Without User-Agent: programs write names into it, and the rare one is the same person under every pseudonym.
    *("cache-control", "pragma", "range"),
    "if-(?:match|none-match|modified-since|unmodified-since|range)",
    # The token is replaced.
    *("x-auth-token", "x-openstack-request-id"),
    *("openstack-api-version", "x-openstack-[a-z-]+-api-(?:version|experimental)"),
    *("x-openstack-image-size", "x-image-meta-store"),
    f"x-(?:remove-)?{_OBJECTS}",
    "x-(?:remove-)?(?:versions|history)-location",
    "x-(?:remove-|if-)?delete-at",
    *("x-delete-after", "x-copy-from(?:-account)?", "destination(?:-account)?", "x-fresh-metadata"),
    *("x-versions-enabled", "x-detect-content-type", "x-newest", "x-storage-policy"),
    *("x-symlink-target(?:-account|-etag)?", "etag", "x-timestamp", "x-trans-id-extra", "x-open-expired"),
    *("x-designate-(?:edit-managed-records|hard-delete)", "openstack-dns-hide-counts"),
    # Zaqar requires the first header, tacker the second.
    *("client-id", "version"),
)
_ANSWER_NAMES: Final = (
    "content-(?:type|length|encoding|language|disposition|md5|range)",
    *("etag", "last-modified", "date", "age", "vary", "cache-control", "expires", "pragma"),
    *("retry-after", "accept-ranges", "allow", "server", "x-content-type-options", "x-ratelimit-[a-z-]+"),
    # Their URLs are checked as well.
    *("location", "content-location"),
    *("x-openstack-request-id", "x-compute-request-id"),
    "openstack-api-(?:minimum-|maximum-)?version",
    "x-openstack-[a-z-]+-api-(?:(?:minimum-|maximum-)?version|experimental)",
    "openstack-image-(?:import-methods|store-ids)",
    f"x-{_OBJECTS}",
    *("x-(?:versions|history)-location", "x-delete-at", "x-copied-from(?:-account|-last-modified)?"),
    *("x-versions-enabled", "x-static-large-object", "x-storage-policy", "x-symlink-target(?:-account|-etag)?"),
    *("x-timestamp", "x-trans-id", "x-parts-count", "x-manifest-etag"),
)

# Alternatives without anchors: the name of a header that passes is one of them as a whole.
REQUEST: Final = "|".join(_REQUEST_NAMES)
ANSWER: Final = "|".join(_ANSWER_NAMES)

_REQUEST: Final = re.compile(REQUEST)
_ANSWER: Final = re.compile(ANSWER)


@remembered
def request_passes(name: str) -> bool:
    """Whether a header of a request may cross to another owner's cloud, or come from one."""
    return _REQUEST.fullmatch(name.lower()) is not None


@remembered
def answer_passes(name: str) -> bool:
    """Whether a header of an answer may cross."""
    return _ANSWER.fullmatch(name.lower()) is not None
