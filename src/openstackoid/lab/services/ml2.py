"""An ML2 mechanism driver that binds every port at once: the lab has no agents that could be asked.

It is found by its entry point, ``neutron.ml2.mechanism_drivers: openstackoid_lab``, which ``lab.environment`` writes
into the services' environment.
"""

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class BindAll(api.MechanismDriver):  # type: ignore[misc]
    """Binds every port as active, on any host."""

    def initialize(self) -> None:
        """Have nothing to set up."""

    @property
    def connectivity(self) -> str:
        """Report that bound ports are on the network of the same segment."""
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: Any) -> None:
        """Bind the port to the first segment offered."""
        for segment in context.segments_to_bind:
            context.set_binding(
                segment[api.ID],
                portbindings.VIF_TYPE_OVS,
                {portbindings.CAP_PORT_FILTER: True},
                status=constants.PORT_STATUS_ACTIVE,
            )
            return
