"""The quota of a virtual region: what is counted, what a request would take of it, and what its users are shown of it. Pure.

counted   `QUOTAS`: names of quotas, each of one service
taken     `need()`: what a create, resize, extension or upload takes, before it is sent
shown     `Allowance`: limits and quotas in answers, as far as the region still has room for the project
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Names of quotas -> the service that counts them.
QUOTAS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("cores", "ram", "instances"), "compute"),
    **dict.fromkeys(("volumes", "gigabytes"), "block-storage"),
    **dict.fromkeys(("networks", "ports", "floating_ips"), "network"),
    "image_bytes": "image",
}
# The names of the same in the services' own quotas.
NATIVE: Final[Mapping[str, str]] = {
    **{name: name for name in ("cores", "ram", "instances", "volumes", "gigabytes")},
    "networks": "network",
    "ports": "port",
    "floating_ips": "floatingip",
}
MOST: Final = (1 << 31) - 1  # the largest quota that services take
_ABSOLUTE: Final[Mapping[str, str]] = {
    "maxTotalCores": "cores",
    "maxTotalInstances": "instances",
    "maxTotalRAMSize": "ram",
    "maxTotalVolumes": "volumes",
    "maxTotalVolumeGigabytes": "gigabytes",
}
# keystoneauth and the services allow the project's id after the version.
_COMPUTE: Final = re.compile(
    # A server is made at os-volumes_boot as well (nova/api/openstack/compute/routes.py).
    r"/v2(?:\.\d+)?(?:/[0-9a-f-]{32,36})?/(?:servers(?:/([^/]+)/action)?|os-volumes_boot)/?\Z"
)
_VOLUMES: Final = re.compile(r"/v3(?:/[0-9a-f-]{32,36})?/(?:(volumes|snapshots)|volumes/([^/]+)/action)/?\Z")
_NETWORK: Final = re.compile(
    r"/v2\.0/(?:(networks|ports|floatingips)|routers/[^/]+/add_router_interface)(?:\.json)?/?\Z"
)
_UPLOAD: Final = re.compile(r"/v2/images/[^/]+/(?:file|stage)/?\Z")
_IMPORT: Final = re.compile(r"/v2/images/[^/]+/import/?\Z")
_SHOWN: Final = re.compile(r"/(?:limits|os-quota-sets/[^/]+(?:/detail)?|quotas/[^/]+(?:/details)?)(?:\.json)?/?\Z")
_CHANGES: Final = frozenset({"POST", "PUT", "PATCH"})
_ITEMS: Final = {"networks": "network", "ports": "port", "floatingips": "floatingip"}
_NAMES: Final = {"networks": "networks", "ports": "ports", "floatingips": "floating_ips"}


@dataclass(frozen=True, slots=True)
class Need:
    """What a request takes.

    Attributes:
        amounts: name of `QUOTAS` -> how much, as far as the request says.
        flavor: of the servers, whose cores and memory are to be added.
        count: of servers.
        server: whose flavor `flavor` replaces: only the difference is taken.
        volume: whose size is to be looked up: taken by a snapshot; taken off the new size by an extension.
        extends: whether the volume grows.
    """

    amounts: Mapping[str, int] = field(default_factory=dict)
    flavor: str | None = None
    count: int = 1
    server: str | None = None
    volume: str | None = None
    extends: bool = False


class UnmeasuredError(ValueError):
    """What a request takes cannot be said before it is done; the message names what was expected."""


def may_take(service: str, method: str, path: str) -> bool:
    """Whether a request may take something of a quota: its document is to be read, or its data counted."""
    if method not in _CHANGES:
        return False
    form = {"compute": _COMPUTE, "block-storage": _VOLUMES, "network": _NETWORK}.get(service)
    if service == "image":
        return bool(_UPLOAD.search(path) or _IMPORT.search(path))
    return form is not None and form.search(path) is not None


def is_upload(service: str, method: str, path: str) -> bool:
    """Whether a request's body is counted by its bytes."""
    return service == "image" and method == "PUT" and _UPLOAD.search(path) is not None


def shows(service: str, method: str, path: str) -> bool:
    """Whether the answer has limits or quotas."""
    return method == "GET" and service in {"compute", "block-storage", "network"} and bool(_SHOWN.search(path))


def need(service: str, path: str, document: Any) -> Need | None:
    """What a request takes; None for nothing, or for a document that its service will refuse.

    Args:
        service: official service type.
        path: inside the service, without a query.
        document: of the request.

    Raises:
        UnmeasuredError: nobody can say.
    """
    if not isinstance(document, dict):
        return None
    if service == "compute":
        return _compute(path, document)
    if service == "block-storage":
        return _volumes(path, document)
    if service == "network":
        return _network(path, document)
    if service == "image" and _IMPORT.search(path):
        method = document.get("method")
        name = method.get("name") if isinstance(method, dict) else None
        if name != "glance-direct":  # its data were counted when they were staged
            raise UnmeasuredError(
                "expected an upload, or an import by glance-direct: how large another import becomes is not known"
            )
    return None


def _compute(path: str, document: Mapping[str, Any]) -> Need | None:
    matched = _COMPUTE.search(path)
    if matched is None:
        return None
    server = document.get("server")
    if matched[1] is None and isinstance(server, dict):
        many = [server.get(name) for name in ("min_count", "max_count")]
        count = max([1, *(_number(one) for one in many if one is not None)])
        return Need({"instances": count}, _flavor(server), count)
    resize = document.get("resize")
    if matched[1] is not None and isinstance(resize, dict):
        return Need(flavor=_flavor(resize), server=matched[1])
    return None


def _volumes(path: str, document: Mapping[str, Any]) -> Need | None:
    matched = _VOLUMES.search(path)
    volume, snapshot, extend = (document.get(name) for name in ("volume", "snapshot", "os-extend"))
    if matched is None:
        return None
    if matched[1] == "volumes" and isinstance(volume, dict):
        if volume.get("size") is None:
            raise UnmeasuredError("expected the volume's size, in this region also of a copy")
        return Need({"volumes": 1, "gigabytes": _number(volume["size"])})
    if matched[1] == "snapshots" and isinstance(snapshot, dict):
        return Need(volume=str(snapshot.get("volume_id")))
    if matched[2] is not None and isinstance(extend, dict):
        return Need({"gigabytes": _number(extend.get("new_size"))}, volume=matched[2], extends=True)
    return None


def _network(path: str, document: Mapping[str, Any]) -> Need | None:
    matched = _NETWORK.search(path)
    if matched is None:
        return None
    if matched[1] is None:
        return Need({"ports": 1}) if "subnet_id" in document else None
    several = document.get(matched[1])
    count = len(several) if isinstance(several, list) else int(isinstance(document.get(_ITEMS[matched[1]]), dict))
    return Need({_NAMES[matched[1]]: count}) if count else None


def _flavor(document: Mapping[str, Any]) -> str | None:
    flavor = document.get("flavorRef")
    # nova takes the last part of a URL (nova/api/openstack/common.py, get_id_from_href).
    return None if flavor is None else str(flavor).rstrip("/").rpartition("/")[2]


def _number(value: Any) -> int:
    """A number as services read it: of a number, or of its digits; what is none they refuse themselves."""
    try:
        return min(max(0, int(value)), MOST)
    except (TypeError, ValueError, OverflowError):
        return 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a project may use in all, as the region has room now: these are the limits that its users are shown.

    The services' own limits are what is leased to the project now, and grow up to these.

    Attributes:
        limits: (name of `QUOTAS`, limit).
    """

    limits: tuple[tuple[str, int], ...]

    def rewrite(self, status: int, document: Any) -> tuple[int, Any] | None:
        """Status and document of an answer with these limits; None if it has none of them."""
        limits = {name: limit for name, limit in self.limits if name != "image_bytes"}
        changed = False
        for place, key, name in _places(document):
            if name in limits:
                changed = True
                value = place[key]
                if isinstance(value, dict):
                    value["limit"] = limits[name]
                else:
                    place[key] = limits[name]
        return (status, document) if changed else None


def _places(document: Any) -> Iterator[tuple[dict[str, Any], str, str]]:
    if not isinstance(document, dict):
        return
    natives = {native: name for name, native in NATIVE.items()}
    found = document.get("limits")
    absolute = found.get("absolute") if isinstance(found, dict) else None
    for place, names in ((absolute, _ABSOLUTE), (document.get("quota_set"), natives), (document.get("quota"), natives)):
        if isinstance(place, dict):
            yield from ((place, key, names[key]) for key in list(place) if key in names)
