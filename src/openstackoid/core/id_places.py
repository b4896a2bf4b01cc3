"""The fields of OpenStack's requests and answers that hold ids of projects and users.

A document is described by levels: which keys of an object hold an id, which objects below it are searched, and which
hold users' own data and are not searched. The tables come from the services' sources, named beside them;
docs/explanation/ids.md explains the tables and their omissions.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple


class Kind(IntEnum):
    """The kind of a field's value; an index into the tables of `core.ids`."""

    PROJECT = 0
    USER = 1
    LINK = 2


class Level:
    """The description of one object of a document, and of each object in one list.

    Attributes:
        fields: key -> kind of its value, a text or a list of texts.
        below: key -> level of the object or list there; None: not searched.
        other: the level below any other key; None: not searched.
    """

    __slots__ = ("below", "fields", "other")

    def __init__(self, fields: Mapping[str, Kind]) -> None:
        self.fields = fields
        self.below: dict[str, Level | None] = {}
        self.other: Level | None = None


class Service(NamedTuple):
    """The descriptions of one service.

    Attributes:
        request, answer: the level of the whole document; a list has the level of its items.
        query: names of query parameters.
    """

    request: Level
    answer: Level
    query: Mapping[str, Kind]


# Segments of a path that are followed by users' names: a tag or a key of metadata can be any text, also an id.
NAMES_FOLLOW: Final = frozenset(
    {
        "tags", "metadata", "extra_specs", "os-extra_specs", "group_specs", "os-keypairs", "namespaces", "properties",
        "objects", "stacks", "traits",
    }
)  # fmt: skip

_PROJECTS: Final = ("project_id", "tenant_id")
_USERS: Final = ("user_id",)
_LINKS: Final = ("href", "next", "previous", "prev", "first", "last", "self")
_OWN: Final = (
    "metadata", "meta", "properties", "tags", "extra", "extra_specs", "group_specs", "user_data", "labels",
    "scheduler_hints", "os:scheduler_hints", "OS-SCH-HNT:scheduler_hints",
)  # fmt: skip
_HOST: Final = {"resource": {"project": Kind.PROJECT}}
_QUOTA: Final = {"quota_set": {"id": Kind.PROJECT, "tenant_id": Kind.PROJECT}}
_TYPE_ACCESS: Final = {key: {"project": Kind.PROJECT} for key in ("addProjectAccess", "removeProjectAccess")}
_NOTHING: Final = Level({})


def _service(
    projects: tuple[str, ...] = (),
    users: tuple[str, ...] = (),
    links: tuple[str, ...] = (),
    own: tuple[str, ...] = (),
    *,
    inside: Mapping[str, Mapping[str, Kind]] | None = None,
    leaves: Mapping[str, Mapping[str, Kind]] | None = None,
    query: Mapping[str, Kind] | None = None,
    wrapped: bool = False,
) -> Service:
    """Make the descriptions of a service from its fields in addition to those of all services.

    Args:
        projects: keys that hold an id of a project, at any depth.
        users: keys that hold an id of a user, at any depth.
        links: keys that hold a URL, beside those of all services.
        own: keys that hold users' own data.
        inside: key of an object, or of a list of objects -> the fields there, in place of the others.
        leaves: the same, and nothing below is searched.
        query: query parameters that are not fields.
        wrapped: every object of the API is below a key of its kind, so fields of the root are users' own
            (`PUT .../os-extra_specs/KEY` has the body `{KEY: VALUE}`).
    """
    ids = dict.fromkeys(_PROJECTS + projects, Kind.PROJECT) | dict.fromkeys(_USERS + users, Kind.USER)

    def root(fields: Mapping[str, Kind]) -> Level:
        level = Level(fields)
        level.other = level
        level.below |= dict.fromkeys(_OWN + own)
        for key, here in (leaves or {}).items():
            level.below[key] = Level(here)
        for key, here in (inside or {}).items():
            special = level.below[key] = Level(here)
            special.other, special.below = level, level.below
        if not wrapped:
            return level
        wrapper = Level({})
        wrapper.other, wrapper.below = level, level.below
        return wrapper

    # Links in requests are the users' own: nova takes `imageRef` as a URL and reads its last segment only.
    answer = ids | dict.fromkeys(_LINKS + links, Kind.LINK)
    return Service(root(ids), root(answer), ids | dict(query or {}))


GENERIC: Final = _service()

# Objects and their names are users' own data: only the account in the path holds the project's id (swift/common/utils.py).
OBJECTS: Final = Service(_NOTHING, _NOTHING, {})

SERVICES: Final[Mapping[str, Service]] = {
    # nova/api/openstack/compute: schemas/, views/, flavor_access.py, hosts.py, quota_sets.py
    "compute": _service(
        own=("personality",),
        inside=_QUOTA | _HOST | {key: {"tenant": Kind.PROJECT} for key in ("addTenantAccess", "removeTenantAccess")},
        wrapped=True,
    ),
    # neutron_lib/api/definitions, neutron/extensions/rbac.py; add_router_interface answers without a wrapper
    "network": _service(
        projects=("target_tenant", "target_project"),
        own=("binding:profile", "binding:vif_details", "extra_dhcp_opts"),
    ),
    # cinder/api: views/, v3/views/, contrib/, v3/backups.py, v3/default_types.py
    "block-storage": _service(
        projects=(
            "os-vol-tenant-attr:tenant_id",
            "os-extended-snapshot-attributes:project_id",
            "os-backup-project-attr:project_id",
            "source_project_id",
            "destination_project_id",
        ),
        own=("volume_image_metadata", "specs", "connector", "connection_info"),
        inside=_QUOTA | _HOST | _TYPE_ACCESS,
        wrapped=True,
    ),
    # keystone/api, keystone/auth/schema.py, keystone/common/render_token.py
    "identity": _service(
        projects=("default_project_id", "requested_project_id"),
        users=("trustor_user_id", "trustee_user_id", "authorizing_user_id"),
        links=("assignment", "membership", "url", "publicURL", "internalURL", "adminURL"),
        own=("options",),
        inside={
            key: {"id": Kind.PROJECT, "parent_id": Kind.PROJECT} for key in ("project", "projects", "tenant", "tenants")
        }
        | {
            key: {"id": Kind.USER, "default_project_id": Kind.PROJECT, "tenantId": Kind.PROJECT}
            for key in ("user", "users", "trustor_user", "trustee_user")
        },
        query={"scope.project.id": Kind.PROJECT, "parent_id": Kind.PROJECT, "user.id": Kind.USER},
    ),
    # placement/schemas, placement/handlers/allocation.py
    "placement": GENERIC,
    # heat/rpc/api.py, heat/api/openstack/v1/views; templates are their authors' own data
    "orchestration": _service(
        projects=("project", "stack_user_project_id"),
        own=(
            "template",
            "environment",
            "environment_files",
            "files",
            "outputs",
            "attributes",
            "config",
            "inputs",
            "input_values",
            "output_values",
            "parameter_defaults",
            "resource_properties",
            "options",
        ),
        leaves={"parameters": {"OS::project_id": Kind.PROJECT}},
        wrapped=True,
    ),
    # designate/objects/adapters/api_v2
    "dns": _service(projects=("target_project_id",)),
    # octavia/api/v2/types
    "load-balancer": _service(own=("insert_headers",)),
    # barbican/model/models.py, barbican/api/controllers/acls.py
    "key-manager": _service(users=("creator_id", "users")),
    # manila/api/views, manila/api/v2
    "shared-file-system": _service(
        projects=("source_project_id", "destination_project_id"),
        own=("access_metadata", "driver_options"),
        inside=_QUOTA | _TYPE_ACCESS,
        wrapped=True,
    ),
    # ironic/api/controllers/v1/node.py
    "baremetal": _service(projects=("owner", "lessee"), own=("driver_info", "driver_internal_info", "instance_info")),
    # zaqar/api/v2: the body of a message is any JSON
    "message": _service(own=("body",)),
    "object-store": OBJECTS,
}

# Glance's documents are flat, and properties of an image are beside its fields, so an object's kind determines which keys
# are fields: glance/api/v2/images.py, image_members.py, tasks.py, metadef_namespaces.py.
IMAGE_LISTS: Final = ("images", "members", "namespaces", "tasks")
IMAGE_LINKS: Final = ("first", "next")
IMAGE_QUERY: Final[Mapping[str, Kind]] = {"owner": Kind.PROJECT}
IMAGE_SCHEMA_FIELDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "/v2/schemas/member": {"member_id": Kind.PROJECT},
    "/v2/schemas/task": {"owner": Kind.PROJECT, "user_id": Kind.USER},
}
IMAGE_FIELDS: Final[Mapping[str, Kind]] = {"owner": Kind.PROJECT}
# Properties that nova writes on the images that it makes (nova/compute/utils.py, nova/virt/libvirt/driver.py).
SNAPSHOTS: Final = ("snapshot", "backup")
SNAPSHOT_FIELDS: Final[Mapping[str, Kind]] = {"owner": Kind.PROJECT, "owner_id": Kind.PROJECT, "user_id": Kind.USER}

# JSON patches (RFC 6902): the paths of a service whose documents have no wrapper.
PATCHED: Final[Mapping[str, Mapping[str, Kind]]] = {
    "image": {"/owner": Kind.PROJECT},
    "baremetal": {"/owner": Kind.PROJECT, "/lessee": Kind.PROJECT},
}

# For a URL of an unknown service. Glance filters properties by any name, but only its lists' own links hold filters.
EVERY_QUERY: Final[Mapping[str, Kind]] = {
    **{name: kind for service in SERVICES.values() for name, kind in service.query.items()},
    **IMAGE_QUERY,
}
