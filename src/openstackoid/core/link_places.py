"""The fields of OpenStack's answers that hold links.

Clients follow `href`, `self`, `next` and the like, at any depth, and every text in an object or a list that is named `links` (in nova and
neutron also names that end so: `servers_links`; openstack/resource.py, `_get_next_link`). Users' own data is never a link, whatever its key:
`core.id_places` lists the keys that hold it. Glance has properties of an image beside its fields, so of an image
only the fields that glance reserves are checked (glance/api/v2/images.py, `_reserved_properties`).

Keys are compared as the most tolerant client compares them: Go's encoding/json takes `NEXT` for `next`, and a long s for an s.
"""

import re
from enum import Enum
from functools import lru_cache
from typing import Final

from openstackoid.core import id_places
from openstackoid.core.id_places import Level


class Kind(Enum):
    """The kind of a key's value."""

    LINK = "what clients follow"
    LINKS = "an object or a list that holds links"
    URL = "an address that is shown: of a catalog, of a console"
    STORED = "where the data of an image is stored"


_LINKS: Final = frozenset({"href", "href-template", "self", "next", "previous", "prev", "first", "last"})
_OF_IMAGES: Final = frozenset({"self", "file", "schema"})
_STORED: Final = frozenset({"direct_url", "location", "locations"})
# Longer keys are none of these, and are not cached: untrusted senders choose keys.
_LONGEST: Final = 64
# The relations that clients follow. Others lead to documentation, and to other services' copies (nova/api/openstack/compute/views).
FOLLOWED: Final = frozenset({"self", "next", "previous", "prev", "first", "last"})
# Relations and media types are among the texts of links, and are not links.
NAMES: Final = frozenset({"rel", "type"})
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_ONE_IMAGE: Final = re.compile(r"/v2/images/[^/?]+/?(?:\?|\Z)")


def kind(service: str, key: str) -> Kind | None:
    """The kind of link at a key of an object; None if the value is not a link.

    Args:
        service: official service type.
        key: as it arrived.
    """
    if len(key) > _LONGEST:
        return Kind.LINKS if _folded(key).endswith("_links") else None
    return _kind(service, key)


def _folded(key: str) -> str:
    """A key as the most tolerant client compares it; some drop lone surrogates."""
    return (key if key.isascii() else _SURROGATES.sub("", key)).casefold()


@lru_cache(maxsize=4096)
def _kind(service: str, key: str) -> Kind | None:
    name = _folded(key)
    if name in _LINKS:
        return Kind.LINK
    if name == "links" or name.endswith("_links"):
        return Kind.LINKS
    if name == "url":
        return Kind.URL
    if service == "image" and name == "schema":
        return Kind.LINK
    if service == "key-manager" and name.endswith(("_ref", "_refs")):
        return Kind.LINK
    return None


@lru_cache(maxsize=4096)
def _kind_in_image(key: str) -> Kind | None:
    name = _folded(key)
    if name in _STORED:
        return Kind.STORED
    return Kind.LINK if name in _OF_IMAGES else None


def kind_in_image(key: str) -> Kind | None:
    """The kind of link at a key of an image; None for users' own properties."""
    return _kind_in_image(key) if len(key) <= _LONGEST else None


def _list_of_images() -> Level:
    generic = id_places.GENERIC.answer
    level = Level({})
    level.below, level.other = generic.below | {"images": None}, generic
    return level


_IMAGES: Final = _list_of_images()


def level(service: str) -> Level:
    """The level of the root of a service's answer; the entries of a list of images are not searched."""
    return _IMAGES if service == "image" else id_places.SERVICES.get(service, id_places.GENERIC).answer


def is_one_image(service: str, method: str, target: str) -> bool:
    """Whether an answer is a single image, with its properties at the top, and no list with links there.

    Args:
        service: official service type.
        method: HTTP method.
        target: path and query inside the service.
    """
    if service != "image":
        return False
    return _ONE_IMAGE.match(target) is not None or (method == "POST" and target.rstrip("/") == "/v2/images")
