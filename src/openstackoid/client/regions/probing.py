"""Metadata of a virtual region from a cloud's own APIs."""

from typing import TYPE_CHECKING, Any, Final

from openstack.exceptions import SDKException
from os_service_types import ServiceTypes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openstack.connection import Connection

# Fields of `network` -> the extension of Neutron that makes each true.
_EXTENSIONS: Final = {"floating_ips": "router", "port_security": "port-security", "qos": "qos", "trunks": "trunk"}
_IMAGE: Final = ("os_distro", "os_version", "architecture")
_AUTHORITY: Final = ServiceTypes()


def probe(connection: "Connection", resources: "Mapping[str, Iterable[str]]") -> dict[str, Any]:
    """Read a cloud's metadata from its APIs.

    Args:
        connection: openstacksdk's, as somebody who sees what users see.
        resources: `flavors`, `images`, `external_networks` (ids) and `zones` (names) that are in the region; what is not named stands for all.

    Returns:
        Plain values of metadata, without the groups of services that the cloud does not have.
    """
    services = _services(connection)
    values: dict[str, Any] = {"services": services}
    if "compute" in services:
        flavors = connection.compute.flavors(details=True, is_public=True)
        values["flavors"] = [_flavor(resource) for resource in _chosen(flavors, resources.get("flavors"))]
        zones = (zone.name for zone in connection.compute.availability_zones())
        values["zones"] = [{"name": name} for name in zones if name in resources.get("zones", [name])]
    if "image" in services:
        values["images"] = _images(connection, resources.get("images"))
    if "network" in services:
        values["network"] = _network(connection, resources.get("external_networks"))
        values["network"]["load_balancers"] = "load-balancer" in services
        services["network"]["extensions"] = sorted(extension.alias for extension in connection.network.extensions())
    if "block-storage" in services:
        types = connection.block_storage.types()
        values["storage"] = {"volume_types": [{"name": resource.name} for resource in types]}
    return values


def _services(connection: "Connection") -> dict[str, dict[str, Any]]:
    """Official type -> microversions, for what is in the catalog and answers."""
    region = connection.config.region_name
    services: dict[str, dict[str, Any]] = {}
    for by_interface in connection.session.get_all_version_data(region_name=region).values():
        for by_type in by_interface.values():
            for name, versions in by_type.items():
                newest = versions[-1] if versions else {}
                bounds = {"minimum": newest.get("min_microversion"), "maximum": newest.get("max_microversion")}
                kind = _AUTHORITY.get_service_type(name) or name
                services[kind] = {key: str(value) for key, value in bounds.items() if value}
    return services


def _chosen(resources: "Iterable[Any]", ids: "Iterable[str] | None") -> list[Any]:
    wanted = None if ids is None else set(ids)
    return [resource for resource in resources if wanted is None or resource.id in wanted]


def _flavor(flavor: Any) -> dict[str, Any]:
    specs = {str(name): str(value) for name, value in (flavor.extra_specs or {}).items()}
    return {"name": flavor.name, "vcpus": flavor.vcpus, "ram": flavor.ram, "disk": flavor.disk, "extra_specs": specs}


def _images(connection: "Connection", ids: "Iterable[str] | None") -> dict[str, Any]:
    schema = connection.image.get("/schemas/image").json()
    formats = schema.get("properties", {}).get("disk_format", {}).get("enum") or []
    result: dict[str, Any] = {"formats": [name for name in formats if name]}
    try:
        methods = connection.image.get("/info/import").json().get("import-methods", {}).get("value")
    except (SDKException, ValueError):
        methods = None
    if methods:
        result["import_methods"] = list(methods)
    images = _chosen(connection.image.images(visibility="public", status="active"), ids)
    result["catalogue"] = [_image(image) for image in images]
    return result


def _image(image: Any) -> dict[str, Any]:
    given = {name: getattr(image, name, None) for name in _IMAGE}
    own = {name: str(value) for name, value in (image.properties or {}).items() if name.startswith("hw_")}
    return {"name": image.name, **{name: str(value) for name, value in given.items() if value}, "properties": own}


def _network(connection: "Connection", ids: "Iterable[str] | None") -> dict[str, Any]:
    aliases = {extension.alias for extension in connection.network.extensions()}
    external = _chosen(connection.network.networks(is_router_external=True), ids)
    networks = [{"name": network.name, **({"mtu": network.mtu} if network.mtu else {})} for network in external]
    return {"external": networks, **{field: alias in aliases for field, alias in _EXTENSIONS.items()}}
