"""Commands that talk to the control plane: one that shows a thing, one that lists."""

from typing import TYPE_CHECKING, Any

from osc_lib.command import command

if TYPE_CHECKING:
    from openstackoid.client.regions.api import ControlPlane


class Show(command.ShowOne):
    """A command that shows one thing."""

    @property
    def plane(self) -> "ControlPlane":
        """The cloud's control plane."""
        return _plane(self)


class Lister(command.Lister):
    """A command that lists things."""

    @property
    def plane(self) -> "ControlPlane":
        """The cloud's control plane."""
        return _plane(self)


def _plane(ours: Any) -> "ControlPlane":
    plane: ControlPlane = ours.app.client_manager.virtual_region  # has an attribute for each plugin: plugin.API_NAME
    return plane
