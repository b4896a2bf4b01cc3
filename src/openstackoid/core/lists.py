"""How each list of OpenStack's services pages and sorts: one table, a row a list. Pure.

Merging several clouds' answers requires knowledge of how one cloud pages: its marker, the field of its link to the next page,
and its default order. Measured on nova 34, glance, neutron and keystone of the same release; each block names
the source files that confirm it.

Traps that the rows hold:

- nova's `sort_key=display_name` sorts by the field `name` of the answer; some of its sort keys are in no answer, and its brief list of
  servers has none: such lists are concatenated cloud by cloud, each in its own order (`Order.visible`).
- neutron's and server groups' `limit=0` means everything; in other lists it means nothing (`Listing.zero_is_all`).
- keystone's roles, services and endpoints ignore the marker and link to a next page for ever (`Paging.ENDLESS`).
- server groups page by `offset` (`Paging.OFFSET`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Paging(Enum):
    """The way that a list is paged."""

    MARKER = "by limit and marker"
    OFFSET = "by limit and offset"
    NONE = "not at all"
    ENDLESS = "it says so, and answers the same page for ever"


class NextLink(Enum):
    """The place of a page's link to the next page."""

    NAMED = "a list of links, at the items' name and _links, with absolute URLs"
    LINKS = "a list of links at links"
    FIELD = "a path at next"
    OBJECT = "an object at links, with the URL or null at next"
    NONE = "nowhere"


class Sorting(Enum):
    """The query parameters that request an order."""

    KEYS = "sort_key and sort_dir, as often as wanted"
    BOTH = "as KEYS, or sort=key:dir,key:dir"
    ONE = "sort_key and sort_dir, once"
    NONE = "not at all: it is ignored"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order: the field of an item that shows it, and the direction."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list.

    Attributes:
        keys: the most significant first; empty if the items stay in each cloud's own order, cloud by cloud.
    """

    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """One list.

    Attributes:
        service: official service type.
        path: of the list inside the service, without a query.
        items: the name of the list in the document.
        paging: the way that it is paged.
        next_link: the place of the link to the next page.
        marker: the field whose value is the marker.
        sorting: the query parameters that request an order.
        default: the order if the query requests none.
        default_descending: the direction of a key that is requested without one.
        default_key: the sort key of a direction that is requested without a key.
        shown: sort key -> field of the items, where they differ; None: the field is in no answer.
        page: items of a page when no limit is given; None if there is no bound.
        zero_is_all: whether `limit=0` means everything.
        counted: the field with the number of all items, added up over clouds; None if it has none.
    """

    service: str
    path: re.Pattern[str]
    items: str
    paging: Paging = Paging.MARKER
    next_link: NextLink = NextLink.NAMED
    marker: str = "id"
    sorting: Sorting = Sorting.NONE
    default: Order = Order()
    default_descending: bool = False
    default_key: str | None = None
    shown: Mapping[str, str | None] | None = None
    page: int | None = None
    zero_is_all: bool = False
    counted: str | None = None

    def order(self, query: Sequence[tuple[str, str]]) -> Order:
        """The order that a query requests.

        Args:
            query: names and values, decoded, in the order of the URL.

        Returns:
            The order; without keys if the field of a requested key is in no answer.
        """
        asked = _asked(self, query)
        if not asked:
            return self.default
        keys: list[Key] = []
        for name, descending in asked:
            field = (self.shown or {}).get(name, name)
            if field is None:
                return Order()
            keys.append(Key(field, descending))
        return Order(tuple(keys))


_VERSION: Final = r"/v\d{1,3}(?:\.\d{1,3})?"
_PROJECT: Final = r"(?:/[0-9a-f]{32})?"
_NEWEST: Final = Order((Key("created_at", descending=True),))
_BY_ID: Final = Order((Key("id"),))


def _path(inner: str, *, project: bool = False) -> re.Pattern[str]:
    return re.compile(rf"{_VERSION}{_PROJECT if project else ''}{inner}(?:\.json)?/?\Z")


# nova/api/openstack/compute/schemas/servers.py, VALID_SORT_KEYS; what an answer shows: views/servers.py.
_SERVER_KEYS: Final[dict[str, str | None]] = {
    "created_at": "created",
    "updated_at": "updated",
    "launched_at": "OS-SRV-USG:launched_at",
    "terminated_at": "OS-SRV-USG:terminated_at",
    "display_name": "name",
    "display_description": "description",
    "uuid": "id",
    "project_id": "tenant_id",
    "access_ip_v4": "accessIPv4",
    "access_ip_v6": "accessIPv6",
    "auto_disk_config": None,
    "availability_zone": "OS-EXT-AZ:availability_zone",
    "config_drive": None,
    "host": None,
    "hostname": None,
    "image_ref": None,
    "instance_type_id": None,
    "kernel_id": None,
    "launch_index": None,
    "locked_by": None,
    "node": None,
    "power_state": "OS-EXT-STS:power_state",
    "ramdisk_id": None,
    "root_device_name": None,
    "task_state": "OS-EXT-STS:task_state",
    "vm_state": "OS-EXT-STS:vm_state",
}
# Items of the brief list have id and name only.
_BRIEF_KEYS: Final[dict[str, str | None]] = dict.fromkeys((*_SERVER_KEYS, "key_name", "progress", "user_id")) | {
    "display_name": "name",
    "uuid": "id",
}
_FLAVOR_KEYS: Final[dict[str, str | None]] = {
    "flavorid": "id",
    "memory_mb": "ram",
    "root_gb": "disk",
    "ephemeral_gb": "OS-FLV-EXT-DATA:ephemeral",
    "disabled": None,
    "is_public": "os-flavor-access:is_public",
    "vcpu_weight": None,
    "created_at": None,
    "updated_at": None,
}
_NOVA_PAGE: Final = 1000  # nova/conf/api.py, max_limit


def _nova(inner: str, items: str, **more: object) -> Listing:
    return Listing("compute", _path(inner, project=True), items, **more)  # type: ignore[arg-type]


def _neutron(items: str, inner: str | None = None) -> Listing:
    return Listing(
        "network",
        _path(inner or f"/{items.replace('_', '-')}"),
        items,
        sorting=Sorting.KEYS,
        zero_is_all=True,
    )


def _keystone(items: str, paging: Paging = Paging.MARKER) -> Listing:
    order = _BY_ID if paging is Paging.MARKER else Order()
    return Listing("identity", _path(f"/{items}"), items, paging, NextLink.OBJECT, default=order)


def _cinder(inner: str, items: str, **more: object) -> Listing:
    settings: dict[str, object] = {
        "sorting": Sorting.BOTH,
        "default_descending": True,
        "default_key": "created_at",
        "default": _NEWEST,
        "page": 1000,
        "counted": "count",
    }
    return Listing("block-storage", _path(inner, project=True), items, **(settings | more))  # type: ignore[arg-type]


LISTINGS: Final[tuple[Listing, ...]] = (
    # nova/api/openstack/common.py, get_limit_and_marker, get_sort_params; compute/servers.py, flavors.py, keypairs.py, server_groups.py
    _nova(
        "/servers/detail",
        "servers",
        sorting=Sorting.KEYS,
        default=Order((Key("created", descending=True),)),
        default_descending=True,
        default_key="created_at",
        shown=_SERVER_KEYS,
        page=_NOVA_PAGE,
    ),
    _nova(
        "/servers",
        "servers",
        sorting=Sorting.KEYS,
        default_descending=True,
        default_key="created_at",
        shown=_BRIEF_KEYS,
        page=_NOVA_PAGE,
    ),
    _nova(
        "/flavors/detail",
        "flavors",
        sorting=Sorting.ONE,
        default=_BY_ID,
        default_key="flavorid",
        shown=_FLAVOR_KEYS,
        page=_NOVA_PAGE,
    ),
    _nova(
        "/flavors",
        "flavors",
        sorting=Sorting.ONE,
        default=_BY_ID,
        default_key="flavorid",
        shown=dict.fromkeys((*_FLAVOR_KEYS, "vcpus", "swap", "rxtx_factor")) | {"flavorid": "id"},
        page=_NOVA_PAGE,
    ),
    _nova("/os-keypairs", "keypairs", marker="keypair.name", default=Order((Key("keypair.name"),)), page=_NOVA_PAGE),
    _nova("/os-server-groups", "server_groups", paging=Paging.OFFSET, next_link=NextLink.NONE, zero_is_all=True),
    _nova("/os-services", "services", paging=Paging.NONE, next_link=NextLink.NONE),
    _nova("/os-aggregates", "aggregates", paging=Paging.NONE, next_link=NextLink.NONE),
    _nova("/os-availability-zone(?:/detail)?", "availabilityZoneInfo", paging=Paging.NONE, next_link=NextLink.NONE),
    _nova("/os-hypervisors(?:/detail)?", "hypervisors", page=_NOVA_PAGE),
    _nova("/os-migrations", "migrations", marker="uuid", page=_NOVA_PAGE),
    # glance/api/v2/images.py, index, _get_sorting_params, _get_filters; conf: limit_param_default, api_limit_max
    Listing(
        "image",
        _path("/images"),
        "images",
        next_link=NextLink.FIELD,
        sorting=Sorting.BOTH,
        default=_NEWEST,
        default_descending=True,
        default_key="created_at",
        page=25,
    ),
    # neutron/api/api_common.py, get_limit_and_marker, get_sorts; created_at is no sort key there
    *map(
        _neutron,
        (
            *("networks", "ports", "routers", "subnets", "subnetpools", "security_groups", "security_group_rules"),
            *("floatingips", "address_scopes", "address_groups", "agents", "trunks", "segments", "rbac_policies"),
        ),
    ),
    # keystone/server/flask/common.py, ResourceBase.wrap_collection
    *map(_keystone, ("projects", "users", "groups", "domains", "regions", "credentials")),
    *(_keystone(items, Paging.ENDLESS) for items in ("roles", "services", "endpoints")),
    # cinder/api/common.py, get_pagination_params, get_sort_params
    _cinder("/volumes/detail", "volumes", shown={"display_name": "name"}),
    _cinder("/volumes", "volumes", shown={"display_name": "name", "created_at": None, "size": None}, default=Order()),
    _cinder("/snapshots/detail", "snapshots", shown={"display_name": "name"}),
    _cinder("/snapshots", "snapshots", shown={"display_name": "name"}),
    _cinder("/backups/detail", "backups"),
    _cinder("/backups", "backups", shown={"created_at": None}, default=Order()),
    _cinder("/types", "volume_types", shown={"created_at": None}, default=Order(), counted=None),
)
_BY_SERVICE: Final[dict[str, list[Listing]]] = {
    service: [row for row in LISTINGS if row.service == service] for service in {row.service for row in LISTINGS}
}


def listing(service: str, path: str) -> Listing | None:
    """The row of a list; None if the path is not a list that can be merged.

    Args:
        service: official service type.
        path: inside the service, without a query.
    """
    return next((row for row in _BY_SERVICE.get(service, ()) if row.path.match(path)), None)


def _asked(listing: Listing, query: Sequence[tuple[str, str]]) -> list[tuple[str, bool]]:
    """Sort keys, each with whether its order is descending."""
    sorting, otherwise = listing.sorting, listing.default_descending
    if sorting is Sorting.NONE:
        return []
    if sorting is Sorting.BOTH and (texts := [value for name, value in query if name == "sort"]):
        parts = [part.strip().partition(":") for part in texts[-1].split(",")]
        return [(name.strip(), way.strip() == "desc" if way else otherwise) for name, _, way in parts if name]
    names = [value.strip() for name, value in query if name == "sort_key"]
    ways = [value.strip() == "desc" for name, value in query if name == "sort_dir"]
    if sorting is Sorting.ONE:
        names, ways = names[-1:], ways[-1:]
    if not names and ways:
        names = [listing.default_key] if listing.default_key else []
    # The first direction holds for keys without one of their own.
    ways += [ways[0] if ways else otherwise] * (len(names) - len(ways))
    return list(zip(names, ways, strict=False))
