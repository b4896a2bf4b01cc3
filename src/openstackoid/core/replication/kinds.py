"""The kinds of resources that can be created, changed and deleted in several clouds at once: one table. Pure.

Each row says how a create is marked, so that its resource is found again when the answer is lost:

    OWN_ID       the API lets clients choose the id (glance, nova's flavors): it is derived from the operation, and the same in every cloud
    NAME         the name is the id (nova's keypairs): no cloud may have it before
    METADATA     an entry of the resource's metadata (nova, cinder)
    DESCRIPTION  neutron takes tags in no create but a port's: the description is the mark, until the members are on record and it is put right
    KEPT         as DESCRIPTION, of a resource that cannot be updated: the mark stays

Sources: nova/api/openstack/compute/schemas, glance/api/v2/images.py, neutron-lib/api/definitions, cinder/api/schemas.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Mark(Enum):
    """Where a resource carries the mark of its operation."""

    OWN_ID = "its id"
    NAME = "its name"
    METADATA = "its metadata"
    DESCRIPTION = "its description, for a moment"
    KEPT = "its description"


@dataclass(frozen=True, slots=True)
class Reference:
    """A place of a request that names another resource.

    Attributes:
        path: keys from the document's root; `*` is every item of a list.
        kind: name of the other resource's kind.
        when: a key beside the last one, and the value that it must have.
    """

    path: tuple[str, ...]
    kind: str
    when: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource.

    Attributes:
        name: service and resource, as `network.subnet`.
        service: official service type.
        collection: of the path of its list, inside the service.
        item, items: the key of one in a document, and of the list; glance has no key for one.
        mark: how a create is marked.
        id: the field that names it in URLs.
        update: the method that changes it; None if it cannot be changed.
        references: the other resources that a request names.
        lingers: whether a cloud still shows it for a while after it has taken the DELETE.
    """

    name: str
    service: str
    collection: re.Pattern[str]
    item: str
    items: str
    mark: Mark
    id: str = "id"
    update: str | None = "PUT"
    references: tuple[Reference, ...] = ()
    lingers: bool = False


@dataclass(frozen=True, slots=True)
class Thing:
    """What a path is about.

    Attributes:
        collection: path of the list, as it came.
        id: of one resource; None for the list.
        rest: what follows the id: empty for the resource itself.
    """

    kind: Kind
    collection: str
    id: str | None
    rest: str = ""


_PREFIX: Final = r"(/v\d{1,3}(?:\.\d{1,3})?(?:/[0-9a-f]{32})?"


def _kind(name: str, path: str, mark: Mark, *references: Reference, **more: str | bool | None) -> Kind:
    service, _, item = name.partition(".")
    item = item.replace("-", "_")
    given: dict[str, str | bool | None] = {"item": item, "items": f"{item}s", **more}
    pattern = re.compile(_PREFIX + re.escape(path) + r")(?:/([^/]+)(/.*)?)?\Z")
    return Kind(name, service, pattern, mark=mark, references=references, **given)  # type: ignore[arg-type]


def _neutron(item: str, *references: Reference, mark: Mark = Mark.DESCRIPTION, update: str | None = "PUT") -> Kind:
    return _kind(f"network.{item.replace('_', '-')}", f"/{item.replace('_', '-')}s", mark, *references, update=update)


def _ref(path: str, kind: str, when: tuple[str, str] | None = None) -> Reference:
    return Reference(tuple(path.split("/")), kind, when)


_DISKS: Final = "server/block_device_mapping_v2/*/uuid"

KINDS: Final[tuple[Kind, ...]] = (
    _kind("image.image", "/images", Mark.OWN_ID, item="", update="PATCH"),
    _neutron("network"),
    _neutron("subnet", _ref("subnet/network_id", "network.network")),
    _neutron(
        "port",
        _ref("port/network_id", "network.network"),
        _ref("port/security_groups/*", "network.security-group"),
        _ref("port/fixed_ips/*/subnet_id", "network.subnet"),
    ),
    _neutron(
        "router",
        _ref("router/external_gateway_info/network_id", "network.network"),
        _ref("router/external_gateway_info/external_fixed_ips/*/subnet_id", "network.subnet"),
    ),
    _neutron("security_group"),
    _neutron(
        "security_group_rule",
        _ref("security_group_rule/security_group_id", "network.security-group"),
        _ref("security_group_rule/remote_group_id", "network.security-group"),
        mark=Mark.KEPT,
        update=None,
    ),
    _kind("compute.keypair", "/os-keypairs", Mark.NAME, id="name", update=None),
    _kind("compute.flavor", "/flavors", Mark.OWN_ID),
    _kind(
        "compute.server",
        "/servers",
        Mark.METADATA,
        _ref("server/imageRef", "image.image"),
        _ref("server/flavorRef", "compute.flavor"),
        _ref("server/key_name", "compute.keypair"),
        _ref("server/networks/*/uuid", "network.network"),
        _ref("server/networks/*/port", "network.port"),
        _ref("server/security_groups/*/name", "network.security-group"),
        _ref(_DISKS, "image.image", ("source_type", "image")),
        _ref(_DISKS, "block-storage.volume", ("source_type", "volume")),
        lingers=True,
    ),
    _kind("block-storage.volume", "/volumes", Mark.METADATA, _ref("volume/imageRef", "image.image"), lingers=True),
)
_BY_NAME: Final = {kind.name: kind for kind in KINDS}

# What is refused, and why: (service, methods, path, reason). The first row that fits is shown.
_REFUSED: Final = tuple(
    (service, methods, re.compile(path), reason)
    for service, methods, path, reason in (
        ("compute", "POST", r".*/servers/[^/]+/action\Z", "only actions without a result of their own reach all members: start, stop, reboot, pause, suspend, lock, shelve and their opposites"),
        ("compute", "POST", r".*/servers/[^/]+/remote-consoles\Z", "a console is of one server"),
        ("compute", "POST", r".*/os-server-groups\Z", "a server group has no place for a mark, so that a lost one could not be found again"),
        ("network", "PUT", r".*/routers/[^/]+/(?:add|remove)_router_interface\Z", "the interface is a port of one cloud's router"),
        ("network", "POST", r".*/floatingips\Z", "an address is of one cloud"),
        ("image", "PUT", r".*/images/[^/]+/stage\Z", "image data is staged in one cloud"),
        ("image", "POST", r".*/images/[^/]+/(?:import|actions/.*|members)\Z", "the task is one cloud's"),
        ("image", "POST", r".*/(?:tasks|metadefs/.*)\Z", "it is one cloud's"),
        ("block-storage", "POST", r".*/(?:snapshots|backups|attachments)\Z", "it is of one cloud's volume"),
        ("block-storage", "POST", r".*/volumes/[^/]+/action\Z", "an action on a volume may have a result of its own"),
        ("identity", "POST PUT PATCH DELETE", r".*", "users, projects and roles are of one cloud"),
    )
)  # fmt: skip


def kind_named(name: str) -> Kind:
    """A row by its name."""
    return _BY_NAME[name]


def thing_at(service: str, path: str) -> Thing | None:
    """The resource or the list of a kind that a path is about; None if it is of no kind of the table.

    Args:
        service: official service type.
        path: inside the service, without a query.
    """
    for kind in KINDS:
        if kind.service == service and (match := kind.collection.match(path.removesuffix("/"))):
            return Thing(kind, match[1], match[2], match[3] or "")
    return None


def refusal(service: str, method: str, path: str) -> str:
    """Why a change is not replicated, for people.

    Args:
        service: official service type.
        method: HTTP method.
        path: inside the service, without a query.
    """
    for row, methods, pattern, reason in _REFUSED:
        if row == service and method in methods.split() and pattern.match(path):
            return reason
    return "it is no create, update or delete of a kind that can be replicated"
