"""What a server is created with, by names that each cloud looks up for itself, as openstacksdk's `create_server` has it.

A request may name an image, a flavor, networks and security groups by name or id; start the server from a volume; and give it a floating IP. Nova
takes none of this: `parse` takes it out of the attributes, and `resolved` gives Nova's attributes for one cloud-region.
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
# Nova's own words in the place of networks.
_NETWORKS: Final = ("auto", "none")


@dataclass(frozen=True)
class Setup:
    """By name or id, each in its cloud.

    Attributes:
        image: to start from.
        flavor: its size.
        networks: to attach it to.
        security_groups: of its ports.
        boot_volume: an existing volume to start from, instead of an image.
        boot_from_volume: start from a new volume, which is made from the image.
        volume_size: of that volume, in GiB; 0 for 50.
        terminate_volume: delete the volume with the server.
        auto_ip: give it a floating IP if no other address of it can be reached from outside.
        ip_pool: the external network of that; empty for the first that there is.
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

    def document(self) -> dict[str, Any]:
        """For digests: the same for the same."""
        return asdict(self)


def parse(kind: Kind, attributes: Mapping[str, Any], typed: Any, field: str) -> tuple[Setup | None, dict[str, Any]]:
    """The setup in a request, and the attributes without it.

    Args:
        kind: what is created.
        attributes: as the request has them. In the generic call the setup is among them, by the names of openstacksdk's `create_server`.
        typed: the request's `ServerSetup`, where it has one; else None.
        field: where the attributes are in the request, for errors.

    Raises:
        errors.InvalidError: a value of another type, or two that exclude each other; with the field named.
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
    for name, wanted in _SCALARS.items():
        # What a cloud says of an image or a flavor is an object: that is left to Nova, as before.
        if name in rest and not (name in ("image", "flavor") and isinstance(rest[name], Mapping)):
            given[name] = _scalar(rest.pop(name), wanted, f"{field}.{name}")
    if typed is not None:
        given |= {each.name: tuple(value) if each.is_repeated else value for each, value in typed.ListFields()}
        field = "setup"
    setup = Setup(**given)
    _check(setup, rest, field)
    return (setup if given else None), rest


def resolved(setup: Setup, attributes: Mapping[str, Any], region: Region) -> dict[str, Any]:
    """Nova's attributes for one cloud-region. Blocks; changes nothing there.

    Raises:
        errors.MissingError: the cloud has nothing of a name.
        errors.AmbiguousError: it has several.
        Exception: of openstacksdk, if a service does not answer.
    """
    found = dict(attributes)
    image = _id(region, "image", "image", setup.image) if setup.image else ""
    if setup.flavor:
        found["flavor_id"] = _id(region, "compute", "flavor", setup.flavor)
    if setup.networks:
        found["networks"] = [{"uuid": _id(region, "network", "network", name)} for name in setup.networks]
    if setup.security_groups:
        found["security_groups"] = [{"name": name} for name in setup.security_groups]  # Nova looks names up itself
    if setup.boot_volume or setup.boot_from_volume:
        disk: dict[str, Any] = {
            "boot_index": 0,
            "destination_type": "volume",
            "delete_on_termination": setup.terminate_volume,
        }
        if setup.boot_volume:
            disk |= {"source_type": "volume", "uuid": _id(region, "block_storage", "volume", setup.boot_volume)}
        else:
            disk |= {"source_type": "image", "uuid": image or found["image_id"]}
            disk["volume_size"] = setup.volume_size or _VOLUME_SIZE
        found["block_device_mapping"] = [disk, *found.get("block_device_mapping", ())]
        found["image_id"] = ""
    elif image:
        found["image_id"] = image
    return found


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
    if setup.ip_pool and not setup.auto_ip:
        raise errors.invalid(f"{field}.ip_pool", "expected auto_ip beside it")


_SCALARS: Final[Mapping[str, type]] = {
    each.name: type(each.default) for each in fields(Setup) if isinstance(each.default, str | bool | int)
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
        return value == "true"  # of the shell
    if wanted is int and isinstance(value, str) and value.isdecimal():
        return int(value)
    if type(value) is not wanted:
        kinds = {str: "a name or an id", bool: "true or false", int: "a whole number"}
        raise errors.invalid(field, f"expected {kinds[wanted]}, got {str(value)[:80]!r}")
    return value
