"""What a project can leave behind in a cloud's services, in the order in which it can be removed. Pure.

Each row is a list of a service that its project's members may read, and how an item of it is removed. openstacksdk has `project_cleanup`, which
does not serve here: it logs a service's refusal and goes on, so that nobody learns what is left and why, and it leaves protected images, trunks,
subnet pools and more (ADR 48).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_VERSION: Final = re.compile(r"/v\d+(?:\.\d+)?(?=/|\Z)")


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """Resources of one kind.

    Attributes:
        service: official type.
        version: of the API, if the catalog's URL names none.
        path: of the list, below the version; `{project}` stands for the project's id.
        key: of the list in the answer; empty if the answer is the list.
        identity: path of keys to an item's id.
        own: query parameter by which the list shows this project's alone, for a list that has shared ones, too.
        delete: path of one, below the version; `{path}/{id}` if empty.
        before: special preparation: `router`, `image`, `server`; empty for none.
        slow: whether the service answers before the resource is gone.
        owner: fields that must name the project, if the item has them: none that users may set (an image has any property beside its fields).
        state: fields that say whether the service is deleting it; the same.
    """

    service: str
    version: str
    path: str
    key: str
    identity: tuple[str, ...] = ("id",)
    own: str = ""
    delete: str = ""
    before: str = ""
    slow: bool = False
    owner: tuple[str, ...] = ("project_id", "tenant_id")
    state: tuple[str, ...] = ("status",)

    @property
    def name(self) -> str:
        """For people: the last part of the path."""
        return self.path.partition("?")[0].rsplit("/", 1)[-1] or "containers"


def _network(path: str, key: str, before: str = "") -> ResourceKind:
    return ResourceKind("network", "/v2.0", f"/{path}", key, own="project_id", before=before)


def _volumes(path: str, key: str) -> ResourceKind:
    return ResourceKind("block-storage", "/v3", f"/{path}", key, slow=True)


def _images(path: str) -> ResourceKind:
    return ResourceKind("image", "/v2", path, "images", own="owner", before="image", owner=("owner",))


# Services that stand on others come first: a stack's servers, a load balancer's ports, a server's volumes.
KINDS: Final = (
    ResourceKind(
        "orchestration",
        "/v1",
        "/stacks",
        "stacks",
        delete="/stacks/{name}/{id}",
        slow=True,
        owner=("project",),
        state=("stack_status",),
    ),
    ResourceKind(
        "load-balancer",
        "/v2",
        "/lbaas/loadbalancers",
        "loadbalancers",
        delete="/lbaas/loadbalancers/{id}?cascade=true",
        slow=True,
        state=("provisioning_status",),
    ),
    ResourceKind(
        "compute",
        "/v2.1",
        "/servers/detail",
        "servers",
        delete="/servers/{id}",
        before="server",
        slow=True,
        state=("OS-EXT-STS:task_state", "status"),
    ),
    ResourceKind("compute", "/v2.1", "/os-server-groups", "server_groups"),
    ResourceKind("shared-file-system", "/v2", "/snapshots", "snapshots", slow=True),
    ResourceKind("shared-file-system", "/v2", "/shares", "shares", slow=True),
    _volumes("backups", "backups"),
    _volumes("snapshots", "snapshots"),
    _volumes("volumes", "volumes"),
    _network("floatingips", "floatingips"),
    _network("trunks", "trunks"),
    _network("routers", "routers", before="router"),
    _network("ports", "ports"),
    _network("subnets", "subnets"),
    _network("networks", "networks"),
    _network("security-groups", "security_groups"),
    _network("address-groups", "address_groups"),
    _network("subnetpools", "subnetpools"),
    _network("address-scopes", "address_scopes"),
    _network("rbac-policies", "rbac_policies"),
    _images("/images"),
    _images("/images?os_hidden=true"),
    ResourceKind("dns", "/v2", "/zones", "zones"),
    ResourceKind("key-manager", "/v1", "/containers", "containers", identity=("container_ref",)),
    ResourceKind("key-manager", "/v1", "/secrets", "secrets", identity=("secret_ref",)),
    ResourceKind("object-store", "/v1", "/?format=json", "", identity=("name",)),
)
# What every project has, and what a member cannot remove.
DEFAULT_GROUP: Final = "default"
_GOING: Final = frozenset({"DELETING", "PENDING_DELETE", "DELETE_IN_PROGRESS"})


def base(url: str, kind: ResourceKind) -> str:
    """Base URL of a service's API, with its version: the catalog's URL may have it, with the project behind it, or not."""
    url = url.rstrip("/")
    return url if _VERSION.search(url) else url + kind.version


def identity(kind: ResourceKind, item: Mapping[str, Any]) -> str:
    """An item's id. A reference (key-manager) counts by its last part."""
    value: Any = item
    for key in kind.identity:
        value = value.get(key, "") if isinstance(value, Mapping) else ""
    return str(value).rstrip("/").rsplit("/", 1)[-1]


def is_going(kind: ResourceKind, item: Mapping[str, Any]) -> bool:
    """Whether a service is deleting an item already."""
    return any(str(item.get(name)).upper() in _GOING for name in kind.state)


def is_of(kind: ResourceKind, item: Mapping[str, Any], project: str) -> bool:
    """Whether an item belongs to a project, so that nothing shared or public of others is ever touched.

    An item that names no owner comes from a list that has the caller's own alone.
    """
    if kind.name == "security-groups" and item.get("name") == DEFAULT_GROUP:
        return False
    # Ports that a router or the network itself has go with these; a member may not delete them.
    if kind.name == "ports" and str(item.get("device_owner", "")).startswith("network:"):
        return False
    owners = {str(item[name]) for name in kind.owner if item.get(name)}
    return not owners or owners == {project}
