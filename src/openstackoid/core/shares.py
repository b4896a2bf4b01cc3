"""Requests that share a resource with another project, and the ids of projects that they name. Pure.

At the border between owners such an id is another project of the caller's own cloud: it is mapped like the caller's own project, and mapped back in
answers. `core.ids` replaces the ids; this module only finds them, to know which projects a mapping needs.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

_TYPES: Final = r"/v\d(?:/[^/]+)?/types/[^/]+/(?:action|os-volume-type-access|share_type_access)"
# Service -> paths that share, where `id` is the project, and the fields with the project's id, in queries and bodies:
# glance/api/v2/image_members.py, neutron/extensions/rbac.py, nova/api/openstack/compute/flavor_access.py,
# cinder/api/contrib/volume_type_access.py, manila/api/v2/share_types.py, designate/api/v2/controllers/zones/sharedzones.py
_PLACES: Final[Mapping[str, tuple[re.Pattern[str], frozenset[str]]]] = {
    service: (re.compile(rf"(?:{path})(?:\.json)?/?\Z"), frozenset(fields))
    for service, path, fields in (
        ("image", r"/v2/images/[^/]+/members(?:/(?P<id>[^/]+))?", ("member",)),
        ("network", r"/v2\.0/rbac-policies(?:/[^/]+)?", ("target_tenant", "target_project")),
        ("compute", r"/v2(?:\.1)?(?:/[^/]+)?/flavors/[^/]+/(?:action|os-flavor-access)", ("tenant",)),
        ("block-storage", _TYPES, ("project",)),
        ("shared-file-system", _TYPES, ("project",)),
        ("dns", r"/v2/zones/[^/]+/shares(?:/[^/]+)?", ("target_project_id",)),
    )
}
EVERYBODY: Final = "*"  # neutron's word for all projects


@dataclass(frozen=True, slots=True)
class Share:
    """A request that shares, or asks with whom something is shared.

    Attributes:
        fields: names of fields with a project's id.
        named: the ids in its path and query.
    """

    fields: frozenset[str]
    named: frozenset[str]

    def in_body(self, document: Any) -> frozenset[str]:
        """The projects that a JSON body names."""
        ids: set[str] = set()
        # An object, or an object below one key: {"member": ID}, {"rbac_policy": {"target_tenant": ID}}.
        outer = document if isinstance(document, dict) else {}
        for node in (outer, *outer.values()):
            if isinstance(node, dict):
                ids.update(_ids(node.get(field) for field in self.fields))
        return frozenset(ids)


def share(service: str, target: str) -> Share | None:
    """How a request shares; None if it does not.

    Args:
        service: official service type.
        target: path and query inside the service, percent-encoded.
    """
    path, _, query = target.partition("?")
    pattern, fields = _PLACES.get(service, (None, frozenset[str]()))
    match = pattern.match(path) if pattern else None
    if match is None:
        return None
    in_path = match.groupdict().get("id")
    in_query = (value for name, value in parse_qsl(query) if name in fields)
    return Share(fields, frozenset(_ids([unquote(in_path) if in_path else None, *in_query])))


def _ids(values: Iterable[Any]) -> set[str]:
    return {value for value in values if isinstance(value, str) and value and value != EVERYBODY}
