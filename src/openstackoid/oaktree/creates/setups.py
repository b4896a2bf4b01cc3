"""The image, flavor, networks and so on of a new server, by names that are resolved in each cloud, as in openstacksdk's `create_server`.

A request may name an image, a flavor, networks and security groups by name or id; start the server from a volume; and give it a floating IP. Nova
accepts none of this: `parse` removes it from the attributes, and `resolved` makes Nova's attributes for one cloud-region.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import openstack.exceptions as sdk

from openstackoid.oaktree import answers, errors
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.upstream.entries import offered, usable
from openstackoid.oaktree.upstream.regions import Region

KIND: Final = "compute.server"
_VOLUME_SIZE: Final = 50  # GiB, as in openstacksdk
# Nova's keywords in place of networks.
_NETWORKS: Final = ("auto", "none")


@dataclass(frozen=True)
class Setup:
    """The parameters of a server, by name or id; each cloud resolves them.

    Attributes:
        image: the image to boot from.
        flavor: the flavor.
        networks: the networks to attach the server to.
        security_groups: the security groups of its ports.
        boot_volume: an existing volume to start from, instead of an image.
        boot_from_volume: start from a new volume, which is made from the image.
        volume_size: of that volume, in GiB; 0 for 50.
        terminate_volume: delete the volume with the server.
        auto_ip: give the server a floating IP if none of its addresses can be reached from outside.
        ip_pool: the external network of the floating IP; empty for the first one.
        group: the server group.
        volumes: existing volumes to attach at the start.
    """

    image: str = ""
    flavor: str = ""
    networks: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    boot_volume: str = ""
    boot_from_volume: bool = False
    volume_size: int = 0
    terminate_volume: bool = False
    auto_ip: bool = False
    ip_pool: str = ""
    group: str = ""
    volumes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The setup as a document, for digests."""
        return asdict(self)


def parse(kind: Kind, attributes: Mapping[str, Any], typed: Any, field: str) -> tuple[Setup | None, dict[str, Any]]:
    """Split the attributes of a request into the setup and the other attributes.

    Args:
        kind: the kind of the resource.
        attributes: the attributes of the request. In the generic call they include the setup, by the names of openstacksdk's `create_server`.
        typed: the request's `ServerSetup`; None if it has none.
        field: the path of the attributes in the request, for errors.

    Raises:
        errors.InvalidError: a value has the wrong type, or two values exclude each other; names the field.
    """
    rest = dict(attributes)
    if kind.name != KIND:
        return None, rest
    given: dict[str, Any] = {}
    if isinstance(rest.get("network"), str | list):
        given["networks"] = _texts(rest.pop("network"), f"{field}.network")
    if (
        isinstance(rest.get("networks"), str | list)
        and rest["networks"] not in _NETWORKS
        and _are_texts(rest["networks"])
    ):
        given["networks"] = _texts(rest.pop("networks"), f"{field}.networks")
    if _are_texts(rest.get("security_groups")):
        given["security_groups"] = _texts(rest.pop("security_groups"), f"{field}.security_groups")
    if _are_texts(rest.get("volumes")):
        given["volumes"] = _texts(rest.pop("volumes"), f"{field}.volumes")
    for name, wanted in _SCALARS.items():
        # An object is a cloud's own form of an image or a flavor: it is passed to Nova unchanged.
        if name in rest and not (name in ("image", "flavor") and isinstance(rest[name], Mapping)):
            given[name] = _scalar(rest.pop(name), wanted, f"{field}.{name}")
    if typed is not None:
        given |= {
            listfield.name: tuple(value) if listfield.is_repeated else value for listfield, value in typed.ListFields()
        }
        field = "setup"
    setup = Setup(**given)
    _check(setup, rest, field)
    return (setup if given else None), rest


def resolved(setup: Setup, attributes: Mapping[str, Any], region: Region) -> dict[str, Any]:
    """Resolve the names in one cloud-region. Returns Nova's attributes. Blocks; changes nothing in the cloud.

    Raises:
        errors.MissingError: the cloud has no resource of a name.
        errors.AmbiguousError: the cloud has several resources of a name.
        Exception: openstacksdk's error, if a service does not answer.
    """
    copy = dict(attributes)
    image = _id(region, "image", "image", setup.image) if setup.image else ""
    if setup.flavor:
        copy["flavor_id"] = _id(region, "compute", "flavor", setup.flavor)
    if setup.networks:
        copy["networks"] = [{"uuid": _id(region, "network", "network", name)} for name in setup.networks]
    if setup.security_groups:
        copy["security_groups"] = [{"name": name} for name in setup.security_groups]  # Nova resolves the names
    if setup.group:
        group = _id(region, "compute", "server_group", setup.group)
        copy["scheduler_hints"] = {**copy.get("scheduler_hints", {}), "group": group}
    if setup.boot_volume or setup.boot_from_volume:
        disk: dict[str, Any] = {
            "boot_index": 0,
            "destination_type": "volume",
            "delete_on_termination": setup.terminate_volume,
        }
        if setup.boot_volume:
            disk |= {"source_type": "volume", "uuid": _id(region, "block_storage", "volume", setup.boot_volume)}
        else:
            disk |= {"source_type": "image", "uuid": image or copy["image_id"]}
            disk["volume_size"] = setup.volume_size or _VOLUME_SIZE
        copy["block_device_mapping"] = [disk, *copy.get("block_device_mapping", ())]
        copy["image_id"] = ""
    elif image:
        copy["image_id"] = image
    if setup.volumes:
        copy["block_device_mapping"] = [*_disks(copy), *(_attached(region, name) for name in setup.volumes)]
    return copy


def _disks(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The disks of a server to which volumes are added: Nova then needs the image's disk among them."""
    disks = list(attributes.get("block_device_mapping", ()))
    if image := attributes.get("image_id"):
        local = {"source_type": "image", "destination_type": "local", "delete_on_termination": True}
        disks.insert(0, {"boot_index": 0, "uuid": image, **local})
    return disks


def _attached(region: Region, volume: str) -> dict[str, Any]:
    return {
        "boot_index": -1,
        "source_type": "volume",
        "destination_type": "volume",
        "delete_on_termination": False,
        "uuid": _id(region, "block_storage", "volume", volume),
    }


def _id(region: Region, service: str, noun: str, name: str) -> str:
    cloud: Any = region.connect()
    with offered(cloud), usable(cloud):
        find: Callable[..., Any] = getattr(getattr(cloud, service), f"find_{noun}")
    place = "/".join(filter(None, region.key))
    try:
        return str(find(name, ignore_missing=False).id)
    except sdk.DuplicateResource as error:
        raise errors.AmbiguousError(f"{place} has several of {service}.{noun} {name!r}: give an id.") from error
    except sdk.NotFoundException as error:
        if error.response is not None and not answers.absent(error):
            raise
        raise errors.MissingError(f"{service}.{noun} {name!r} is not in {place}, by id or by name.") from error


def _check(setup: Setup, rest: Mapping[str, Any], field: str) -> None:
    for name, attribute in (("image", "image_id"), ("flavor", "flavor_id"), ("networks", "networks")):
        if getattr(setup, name) and rest.get(attribute):
            raise errors.invalid(f"{field}.{name}", f"expected either {name}, by name, or {attribute}")
    if setup.boot_volume and (setup.image or setup.boot_from_volume or rest.get("image_id")):
        raise errors.invalid(f"{field}.boot_volume", "expected no image beside it: the server starts from the volume")
    if setup.boot_from_volume and not (setup.image or rest.get("image_id")):
        raise errors.invalid(f"{field}.boot_from_volume", "expected an image to make the volume from")
    if setup.volume_size < 0 or (setup.volume_size and not setup.boot_from_volume):
        raise errors.invalid(f"{field}.volume_size", "expected a size in GiB, with boot_from_volume")
    if setup.terminate_volume and not (setup.boot_volume or setup.boot_from_volume):
        raise errors.invalid(f"{field}.terminate_volume", "expected boot_volume or boot_from_volume beside it")
    if setup.group and "group" in rest.get("scheduler_hints", {}):
        raise errors.invalid(f"{field}.group", "expected either group or scheduler_hints with a group")
    if setup.ip_pool and not setup.auto_ip:
        raise errors.invalid(f"{field}.ip_pool", "expected auto_ip beside it")


_SCALARS: Final[Mapping[str, type]] = {
    field.name: type(field.default) for field in fields(Setup) if isinstance(field.default, str | bool | int)
}


def _are_texts(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(x, str) for x in value)
    )


def _texts(value: Any, field: str) -> tuple[str, ...]:
    if not _are_texts(value):
        raise errors.invalid(field, "expected a name or an id, or a list of them")
    return (value,) if isinstance(value, str) else tuple(value)


def _scalar(value: Any, wanted: type, field: str) -> Any:
    if wanted is bool and value in ("true", "false"):
        return value == "true"  # a value from the command line
    if wanted is int and isinstance(value, str) and value.isdecimal():
        return int(value)
    if type(value) is not wanted:
        kinds = {str: "a name or an id", bool: "true or false", int: "a whole number"}
        raise errors.invalid(field, f"expected {kinds[wanted]}, got {str(value)[:80]!r}")
    return value
