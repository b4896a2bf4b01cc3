"""What of a provider's cloud is in a virtual region: flavors, images, networks of the provider, zones. Pure.

    answers    a list has what is in the region; what is not is 404 by its id, as if it did not exist
    requests   a document that names a flavor, zone or external network that is not in the region is refused

A kind of which nothing is named is in the region as a whole. What the region's users have made themselves is always in it: it belongs to their
project. The project is the local one: answers are read before their ids are replaced.

Images and networks in creates need no look at the request: nova asks for both by the user's token, and gets answers from here, too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from openstackoid.core.errors import NotInRegionError, OutsideRegionError

KINDS: Final = ("flavors", "images", "external_networks", "zones")
_SERVICES: Final = frozenset({"compute", "image", "network"})
# keystoneauth and nova allow the project's id after the version.
_FLAVOR: Final = re.compile(r"/v2(?:\.\d+)?(?:/[0-9a-f-]{32,36})?/flavors/(?!detail(?:[/?]|$))([^/?]+)")
_PORT_IN_NETWORK: Final = re.compile(
    r"/v2\.0/(?:ports|routers/[^/]+/(add_router_interface))(?:\.json)?/?(?:\?.*)?\Z", re.ASCII
)
_IMAGE: Final = re.compile(r"/v2/images/([^/?]+)/")


@dataclass(frozen=True, slots=True)
class Resources:
    """The parts of a cloud that are in a region.

    Attributes:
        flavors, images, external_networks: ids.
        zones: names of compute's availability zones.
        project: id of the project that the request is for.
    """

    flavors: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    external_networks: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    project: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Resources":
        """Read `{"flavors": [...], ...}`; kinds may be missing."""
        flavors, images, networks, zones = (frozenset(map(str, document.get(kind, ()))) for kind in KINDS)
        return cls(flavors, images, networks, zones)

    def to_json(self) -> dict[str, list[str]]:
        """The form that `from_json` reads, without kinds of which nothing is named."""
        return {kind: sorted(names) for kind in KINDS if (names := getattr(self, kind))}

    def of(self, project: str) -> "Resources":
        """The same for a request of a project."""
        return replace(self, project=project)

    def concerns(self, service: str) -> bool:
        """Whether documents of a service may name what is not in the region."""
        return service in _SERVICES and bool(self.to_json())

    def path(self, service: str, path: str) -> None:
        """Check a path inside a service, with local ids.

        Raises:
            NotInRegionError: it names a flavor that is not in the region.
        """
        match = _FLAVOR.match(path) if service == "compute" and self.flavors else None
        if match and match[1] not in self.flavors:
            raise _missing("flavor", match[1])

    def image_to_check(self, service: str, path: str) -> str | None:
        """The image whose data or other parts a path names, if only its owner says whether it is in the region; None for any other path."""
        match = _IMAGE.match(path) if service == "image" and self.images else None
        return match[1] if match and match[1] not in self.images else None

    def networks_to_check(self, service: str, method: str, path: str) -> bool:
        """Whether a request puts a port into a network, of which only its owner says whether it is in the region."""
        match = _PORT_IN_NETWORK.match(path) if service == "network" and self.external_networks else None
        return match is not None and method == ("PUT" if match[1] else "POST")

    def in_networks(self, document: Any) -> Iterator[tuple[str, str]]:
        """`networks` or `subnets`, and the id of one that such a request names and that is not in the region by its id."""
        if not isinstance(document, dict):
            return
        several = document.get("ports")
        for wanted in (document, document.get("port"), *(several if isinstance(several, list) else ())):
            if isinstance(wanted, dict):
                for kind, key in (("networks", "network_id"), ("subnets", "subnet_id")):
                    if wanted.get(key) is not None and str(wanted[key]) not in self.external_networks:
                        yield kind, str(wanted[key])

    def owns_network(self, document: Any) -> bool:
        """Whether neutron's document of a network or subnet says that it is in the region, or belongs to the request's project."""
        resource = next(iter(document.values()), None) if isinstance(document, dict) else None
        return isinstance(resource, dict) and (self._has_network(resource) or self._has_subnet(resource))

    def request(self, service: str, document: Any) -> Any:
        """Check a request's document, and return it unchanged.

        Raises:
            OutsideRegionError: it names what is not in the region.
        """
        if isinstance(document, dict):
            if service == "compute":
                self._compute(document)
            elif service == "network" and self.external_networks:
                for network in _external(document):
                    if network not in self.external_networks:
                        raise _outside("external network", network, self.external_networks)
        return document

    def answer(self, service: str, document: Any) -> Any:
        """An answer's document without what is not in the region.

        Raises:
            NotInRegionError: it is about one thing that is not in the region.
        """
        if not isinstance(document, dict):
            return document
        if service == "compute":
            self._only(document, "flavors", "flavor", lambda flavor: flavor.get("id") in self.flavors, self.flavors)
            self._only(document, "images", "image", lambda image: image.get("id") in self.images, self.images)
            zone = "availabilityZoneInfo"
            self._only(document, zone, "", lambda members: members.get("zoneName") in self.zones, self.zones)
        elif service == "image":
            self._only(document, "images", "", self._has_image, self.images)
            if self.images and _is_image(document) and not self._has_image(document):
                raise _missing("image", document.get("id"))
        elif service == "network":
            self._only(document, "networks", "network", self._has_network, self.external_networks)
            self._only(document, "subnets", "subnet", self._has_subnet, self.external_networks)
        return document

    def owns_image(self, image: Mapping[str, Any]) -> bool:
        """Whether glance's document of an image says that it belongs to the request's project."""
        return bool(self.project) and image.get("owner") == self.project

    def _compute(self, document: dict[str, Any]) -> None:
        for action in ("server", "resize", "unshelve"):
            wanted = document.get(action)
            if not isinstance(wanted, dict):
                continue
            flavor, zone = wanted.get("flavorRef"), wanted.get("availability_zone")
            if self.flavors and flavor is not None:
                # nova takes the last part of a URL (nova/api/openstack/common.py, get_id_from_href).
                name = urlsplit(str(flavor)).path.split("/")[-1]
                if name not in self.flavors:
                    raise _outside("flavor", name, self.flavors)
            if self.zones and zone is not None and str(zone).partition(":")[0] not in self.zones:
                raise _outside("availability zone", zone, self.zones)

    def _only(self, document: dict[str, Any], many: str, one: str, has: Any, named: frozenset[str]) -> None:
        if not named:
            return
        items, single = document.get(many), document.get(one)
        if isinstance(items, list):
            document[many] = [item for item in items if isinstance(item, dict) and has(item)]
        if isinstance(single, dict) and not has(single):
            raise _missing(one, single.get("id"))

    def _has_image(self, image: Mapping[str, Any]) -> bool:
        return image.get("id") in self.images or self.owns_image(image)

    def _has_network(self, network: Mapping[str, Any]) -> bool:
        return network.get("id") in self.external_networks or self._owns(network)

    def _has_subnet(self, subnet: Mapping[str, Any]) -> bool:
        return subnet.get("network_id") in self.external_networks or self._owns(subnet)

    def _owns(self, resource: Mapping[str, Any]) -> bool:
        owner = resource.get("project_id") or resource.get("tenant_id")
        return bool(self.project) and owner == self.project


WHOLE: Final = Resources()  # everything


def _is_image(document: Mapping[str, Any]) -> bool:
    return "id" in document and "disk_format" in document


def _external(document: Mapping[str, Any]) -> Iterator[str]:
    """The external networks that a request of neutron's names, also of several routers or floating IPs."""
    for kind in ("router", "floatingip"):
        several = document.get(f"{kind}s")
        for wanted in (document.get(kind), *(several if isinstance(several, list) else ())):
            if not isinstance(wanted, dict):
                continue
            gateways = wanted.get("external_gateways")
            for gateway in (wanted.get("external_gateway_info"), *(gateways if isinstance(gateways, list) else ())):
                if isinstance(gateway, dict) and gateway.get("network_id") is not None:
                    yield str(gateway["network_id"])
            if wanted.get("floating_network_id") is not None:
                yield str(wanted["floating_network_id"])


def _missing(kind: str, identity: object) -> NotInRegionError:
    return NotInRegionError(f"No {kind} {str(identity)[:64]} in this region.")


def _outside(kind: str, name: object, named: frozenset[str]) -> OutsideRegionError:
    some = ", ".join(sorted(named)[:16])
    return OutsideRegionError(f"The {kind} {str(name)[:64]} is not in this region. These are: {some}.")
