"""A binding: a region of this cloud's catalog that is a virtual region of another cloud, under a contract. Pure.

    bind     -> binding    the catalog is being written
             -> bound      it is written
    unbind   -> unbinding  it is being cleaned; then the binding is gone

What the catalog shall hold follows from the binding and the contract's terms alone (`endpoints`), so that writing it can be repeated at any time.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from openstackoid.core.protocol import SCOPED_PREFIX

# Paths behind a service's base URL that clients expect in a catalog. `%(project_id)s` is Keystone's (keystone/common/utils.py, format_url).
_PATHS: Final = {
    "compute": "/v2.1",
    "block-storage": "/v3/%(project_id)s",
    "object-store": "/v1/AUTH_%(project_id)s",
    "orchestration": "/v1/%(project_id)s",
}
# Types by which all clients find a service: Terraform and gophercloud do not know the official one.
_CATALOG_TYPES: Final = {"block-storage": "volumev3"}
INTERFACES: Final = ("public", "internal")
_MARK: Final = "Virtual region under the contract "


class BindingState(StrEnum):
    """Where a binding stands."""

    BINDING = "binding"
    BOUND = "bound"
    UNBINDING = "unbinding"


@dataclass(frozen=True, slots=True)
class Binding:
    """A region bound to a contract.

    Attributes:
        region: its name in the catalog.
        contract: id.
        state: where it stands.
        error: why the catalog could not be changed the last time; empty if it could.
    """

    region: str
    contract: str
    state: BindingState = BindingState.BINDING
    error: str = ""

    @property
    def description(self) -> str:
        """The description of the region in Keystone, by which it is known to be ours."""
        return f"{_MARK}{self.contract}."


def endpoints(region: str, base: str, identity: str, services: tuple[str, ...]) -> dict[str, str]:
    """The endpoints of a region: service type as in the catalog -> URL.

    Args:
        region: name.
        base: scheme, host and port of this cloud's gateway, where its identity service is called.
        identity: URL of this cloud's Keystone, with `/v3`: a region without an identity service is none to clients.
        services: official service types of the contract.
    """
    urls = {
        _CATALOG_TYPES.get(kind, kind): f"{base}{SCOPED_PREFIX}{region}/{kind}{_PATHS.get(kind, '')}"
        for kind in sorted(services)
    }
    return {"identity": identity} | urls
