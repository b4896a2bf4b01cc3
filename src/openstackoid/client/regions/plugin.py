"""The plugin of the `openstack` client for virtual regions: what commands find as `client_manager.virtual_region`."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import argparse

    from openstackoid.client.regions.api import ControlPlane

API_NAME: Final = "virtual_region"
API_VERSION_OPTION: Final = "os_virtual_region_api_version"
DEFAULT_API_VERSION: Final = "1"
API_VERSIONS: Final = ("1",)


def make_client(instance: Any) -> "ControlPlane":
    """The control plane that the cloud's catalog names."""
    from openstackoid.client.regions.api import ControlPlane  # noqa: PLC0415 - for our own commands only

    return ControlPlane(instance.session, instance.interface, instance.region_name)


def build_option_parser(parser: "argparse.ArgumentParser") -> "argparse.ArgumentParser":
    """No options of its own."""
    return parser
