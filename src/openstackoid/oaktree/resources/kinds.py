"""The kinds of resources: openstacksdk's classes, the supported verbs, and the messages."""

import functools
import importlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, cast

from google.protobuf.message import Message
from openstack import connection, proxy, resource

from openstackoid.oaktree.resources.attributes import Attributes
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.upstream.entries import offered, usable

# Kinds that have a short list, and a detailed list at another path; like openstacksdk's proxies, we use the detailed one.
_DETAIL: Final = frozenset(
    {
        "block_storage.attachment",
        "block_storage.backup",
        "block_storage.cluster",
        "block_storage.consistency_group",
        "block_storage.consistency_group_snapshot",
        "block_storage.group",
        "block_storage.group_snapshot",
        "block_storage.snapshot",
        "block_storage.volume",
        "compute.flavor",
        "compute.hypervisor",
        "compute.server",
    }
)


_OF_A_PROJECT: Final = frozenset({"compute.quota", "block_storage.quota"})
_NEEDED: Final = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Kind:
    """A kind of resource."""

    name: str  # "service.kind"
    sdk_class: str
    verbs: frozenset[str]

    @property
    def service(self) -> str:
        """The name of openstacksdk's proxy for the kind: `block_storage`."""
        return self.name.partition(".")[0]

    @functools.cached_property
    def cls(self) -> type[resource.Resource]:
        """The class of openstacksdk."""
        module, _, name = self.sdk_class.rpartition(".")
        return cast("type[resource.Resource]", getattr(importlib.import_module(module), name))

    @functools.cached_property
    def attributes(self) -> Attributes:
        """Its attributes."""
        return Attributes(self.cls)

    @functools.cached_property
    def raw(self) -> type[resource.Resource]:
        """A variant of the class whose lists return the JSON unchanged: paging, filters and microversions are openstacksdk's own."""
        return type(
            f"Raw{self.cls.__name__}", (self.cls,), {"existing": classmethod(functools.partial(_existing, self))}
        )

    @property
    def list_path(self) -> str | None:
        """The path of the detailed list; None for the path of the class."""
        return f"{self.cls.base_path}/detail" if self.name in _DETAIL else None

    @functools.cached_property
    def filters(self) -> frozenset[str]:
        """The filters of the kind's API, by openstacksdk's names."""
        return frozenset(self.cls._query_mapping._mapping)  # noqa: SLF001 - openstacksdk has no public accessor

    @functools.cached_property
    def parents(self) -> frozenset[str]:
        """The parameters of the kind's path."""
        return frozenset(_NEEDED.findall(self.cls.base_path))

    @property
    def of_project(self) -> bool:
        """Whether the kind has one resource per project, without an id of its own."""
        return self.name in _OF_A_PROJECT

    def proxy(self, cloud: connection.Connection) -> Any:
        """The proxy of openstacksdk for the kind's service.

        Raises:
            openstack.exceptions.ServiceDisabledException: the cloud has no such service.
        """
        with offered(cloud), usable(cloud):
            service_proxy = getattr(cloud, self.service)
            if not isinstance(service_proxy, proxy.Proxy):
                # openstacksdk's placeholder for a missing service raises at every use (service_description._ServiceDisabledProxyShim).
                service_proxy.get  # noqa: B018
        return service_proxy

    def codec(self, message: type[Message]) -> Codec:
        """The codec for a message type."""
        return _codec(self, message)  # type: ignore[arg-type]  # classes are hashable, whatever their instances are


@functools.cache
def _codec(kind: Kind, message: type[Message]) -> Codec:
    return Codec(kind.cls, message, kind.name)


class Raw:
    """One resource's JSON, with the two methods of a resource that `Resource.list` uses."""

    __slots__ = ("_kind", "json")

    def __init__(self, kind: Kind, json: dict[str, Any]) -> None:
        self._kind = kind
        self.json = json

    @property
    def id(self) -> Any:
        """The id, which is the marker of the next page."""
        return self.get("id")

    def get(self, name: str, default: Any = None) -> Any:
        """Get an attribute by openstacksdk's name, for filters that the API does not support."""
        attributes = self._kind.attributes
        attribute = attributes.by_name.get(attributes.id if name == "id" and "id" not in self.json else name)
        if attribute is None:
            return self.json.get(name, default)
        value = self.json.get(attribute.wire, self.json.get(name))
        return default if value is None else attribute.convert(value)


def _existing(kind: Kind, _cls: type, connection: object = None, microversion: object = None, **raw: Any) -> Raw:
    del connection, microversion
    # nova wraps each key pair of a list in an object (openstack.compute.v2.keypair.Keypair._consume_attrs unwraps it).
    wrapped = raw.get(kind.cls.resource_key or "")
    if len(raw) == 1 and isinstance(wrapped, dict):
        raw = wrapped
    return Raw(kind, raw)


class Kinds:
    """All kinds."""

    def __init__(self) -> None:
        document = json.loads(resources.files("openstackoid.oaktree").joinpath("kinds.json").read_text())
        self.documents: Final[Mapping[str, Any]] = {kind["kind"]: kind for kind in document["kinds"]}
        self._kinds: Final = {
            name: Kind(name, entry["sdk_class"], frozenset(entry["verbs"])) for name, entry in self.documents.items()
        }

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def get(self, name: str) -> Kind | None:
        """The kind with this name."""
        return self._kinds.get(name)
