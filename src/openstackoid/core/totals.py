"""Limits, quotas and usage of several clouds: how their documents become one. Pure.

A user who may have 10 servers in each of two clouds may have 20 of them, and 3 and 4 cores in use are 7. Three kinds of fields are no sums:

- a limit of one thing, such as the metadata items of a server, is the smallest of all: it holds in every cloud;
- -1 means unlimited (nova/quota.py, neutron/db/quota, cinder/quota.py), in the sum as well;
- text, and everything that is not a number, is the first cloud's.

Documents: nova/api/openstack/compute/{limits,quota_sets,simple_tenant_usage,hypervisors}.py; cinder/api/v3/limits.py,
cinder/api/contrib/quotas.py; neutron/extensions/quotasv2{,_detail}.py; glance/api/v2/info.py (`get_usage`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

UNLIMITED: Final = -1
_LARGEST: Final = (1 << 63) - 1  # as OpenStack's databases hold
_PROJECT: Final = "/[0-9A-Za-z_-]{1,64}"
_VERSION: Final = r"/v\d{1,2}(?:\.\d{1,2})?"
_PATHS: Final = {
    "compute": re.compile(
        rf"{_VERSION}(?:{_PROJECT})?/(?:limits|os-quota-sets{_PROJECT}(?:/detail|/defaults)?|os-simple-tenant-usage(?:{_PROJECT})?|os-hypervisors/statistics)"
    ),
    "block-storage": re.compile(rf"{_VERSION}{_PROJECT}/(?:limits|os-quota-sets{_PROJECT}(?:/defaults)?)"),
    "network": re.compile(rf"/v2\.0/quotas{_PROJECT}(?:/default|/details(?:\.json)?)?(?:\.json)?"),
    "image": re.compile(r"/v2/info/usage"),
}
# Of one thing each, not of all things of a project.
_OF_ONE: Final = frozenset(
    {
        "injected_file_content_bytes",
        "injected_file_path_bytes",
        "injected_files",
        "maxImageMeta",
        "maxPersonality",
        "maxPersonalitySize",
        "maxSecurityGroupRules",
        "maxServerGroupMembers",
        "maxServerMeta",
        "metadata_items",
        "per_volume_gigabytes",
        "security_group_rules_per_group",
        "server_group_members",
    }
)
_JOINED: Final = frozenset({"server_usages"})
_BY_PROJECT: Final = "tenant_usages"


def has_totals(service: str, path: str) -> bool:
    """Whether the documents of several clouds at a path are added up.

    Args:
        service: official service type.
        path: inside the service, without a query.
    """
    pattern = _PATHS.get(service)
    return pattern is not None and pattern.fullmatch(path) is not None


def total(documents: Sequence[Any]) -> Any:
    """Add up the documents of several clouds, which may be any JSON; what has no sum is the first one's."""
    first = documents[0]
    if isinstance(first, Mapping):
        return _objects([document for document in documents if isinstance(document, Mapping)])
    if _is_number(first):
        return _sum([document for document in documents if _is_number(document)])
    return first


def _objects(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in objects for name in one):
        values = [one[name] for one in objects if name in one]
        if name in _OF_ONE and all(map(_is_number, values)):
            merged[name] = min((value for value in values if value != UNLIMITED), default=UNLIMITED)
        elif name in _JOINED and all(isinstance(value, list) for value in values):
            merged[name] = [item for value in values for item in value]
        elif name == _BY_PROJECT and all(isinstance(value, list) for value in values):
            merged[name] = _by_project([item for value in values for item in value])
        else:
            merged[name] = total(values)
    return merged


def _by_project(usages: Sequence[Any]) -> list[Any]:
    """The usage of each project, once: several clouds know one project by the same id (`core.ids`)."""
    projects: dict[Any, list[Any]] = {}
    for usage in usages:
        name = usage.get("tenant_id") if isinstance(usage, Mapping) else None
        projects.setdefault(name if isinstance(name, str) else id(usage), []).append(usage)
    return [total(project) for project in projects.values()]


def _sum(numbers: Sequence[float]) -> float:
    if UNLIMITED in numbers:
        return UNLIMITED
    return min(sum(numbers), _LARGEST)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
