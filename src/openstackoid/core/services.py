"""Service types: one spelling for each, whatever alias or case a client uses.

The names and aliases are those of the service-types authority, as published in os-service-types:
`volumev3`, `block-store` and `Volume` all mean `block-storage`.
"""

import difflib
import re
from collections.abc import Collection
from functools import lru_cache

from os_service_types import ServiceTypes

from openstackoid.core.remembered import remembered

# keystoneauth1 sends names of this form in catalogs, and they get into headers, paths and maps.
_TYPE = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*\Z")
_LONGEST = 64
_authority = ServiceTypes()


def service_type(name: str) -> str | None:
    """The official service type of a name, alias or plural, in any case.

    Args:
        name: as a client wrote it, such as `Image` or `volumev3`.

    Returns:
        The official type (`image`, `block-storage`); the name in lower case if the authority does not know it but it
        has the form of a type (a private service); None if the name cannot be a service type.
    """
    # Longer names are not cached: an untrusted sender chooses their length.
    return _official(name) if len(name) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _official(name: str) -> str | None:
    lowered = name.lower()
    if not _TYPE.match(lowered):
        return None
    official: str | None = _authority.get_service_type(lowered)
    return official or lowered


@remembered
def is_official(kind: str) -> bool:
    """Whether the authority lists a service type, as `service_type` returns it."""
    return bool(_authority.is_official(kind))


def official_types() -> frozenset[str]:
    """All service types that the authority lists."""
    return frozenset(_authority.all_types_by_service_type)


def is_service_name(name: str) -> bool:
    """Whether a text is a service's name to OpenStack's users: an official type, an alias of one, or its project (`nova`).

    Args:
        name: as a client wrote it.
    """
    kind = service_type(name)
    return kind is not None and (is_official(kind) or bool(_authority.get_service_data_for_project(kind)))


def suggested(kind: str, also: Collection[str] = ()) -> str | None:
    """Suggest a service type for an unknown one: the service of a project's name, or the nearest spelling.

    Args:
        kind: as `service_type` returns it.
        also: valid types in addition to the authority's.
    """
    project = _authority.get_service_data_for_project(kind)
    if project:
        return str(project["service_type"])
    names = {alias: service for service, aliases in _authority.all_types_by_service_type.items() for alias in aliases}
    near = difflib.get_close_matches(kind, [*also, *names], n=1, cutoff=0.6)
    return names.get(near[0], near[0]) if near else None
