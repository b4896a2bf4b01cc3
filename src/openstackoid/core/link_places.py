"""Where links stand in the answers of OpenStack's services.

Clients follow `href`, `self`, `next` and the like, at any depth, and whatever stands in an object or a list that is called `links` (nova's and
neutron's end so, too: `servers_links`; openstack/resource.py, `_get_next_link`). What users themselves wrote is never a link, whatever it
is called: `core.id_places` knows below which keys that is. Glance keeps properties of an image beside its fields, so of an image
only the fields that glance reserves are looked at (glance/api/v2/images.py, `_reserved_properties`).

A key is compared as the most tolerant reader does it: Go's encoding/json takes `NEXT` for `next`, and a long s for an s.
"""

import re
from enum import Enum
from functools import lru_cache
from typing import Final

from openstackoid.core import id_places
from openstackoid.core.id_places import Level


class Kind(Enum):
    """What the value of a key is."""

    LINK = "what clients follow"
    LINKS = "an object or a list that holds links"
    URL = "an address that is shown: of a catalog, of a console"
    STORED = "where the data of an image is stored"


_LINKS: Final = frozenset({"href", "href-template", "self", "next", "previous", "prev", "first", "last"})
_OF_IMAGES: Final = frozenset({"self", "file", "schema"})
_STORED: Final = frozenset({"direct_url", "location", "locations"})
# No key of more characters is one of these; and a cache of keys that others choose stays small.
_LONGEST: Final = 64
# The relations that clients follow. Others are of documentation, and of other services' copies (nova/api/openstack/compute/views).
FOLLOWED: Final = frozenset({"self", "next", "previous", "prev", "first", "last"})
# Relations and media types stand among links, and are none.
NAMES: Final = frozenset({"rel", "type"})
_ONE_IMAGE: Final = re.compile(r"/v2/images/[^/?]+/?(?:\?|\Z)")


def kind(service: str, key: str) -> Kind | None:
    """What stands at a key of an object; None if it is no link.

    Args:
        service: official service type.
        key: as it came.
    """
    if len(key) > _LONGEST:
        return Kind.LINKS if key.casefold().endswith("_links") else None
    return _kind(service, key)


@lru_cache(maxsize=4096)
def _kind(service: str, key: str) -> Kind | None:
    name = key.casefold()
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
    name = key.casefold()
    if name in _STORED:
        return Kind.STORED
    return Kind.LINK if name in _OF_IMAGES else None


def kind_in_image(key: str) -> Kind | None:
    """What stands at a key of an image; properties that users gave are None."""
    return _kind_in_image(key) if len(key) <= _LONGEST else None


def _list_of_images() -> Level:
    generic = id_places.GENERIC.answer
    level = Level({})
    level.below, level.other = generic.below | {"images": None}, generic
    return level


_IMAGES: Final = _list_of_images()


def level(service: str) -> Level:
    """What is looked into, from the top of a service's answer; images in a list are not."""
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
