"""Another topology for a lab whose clouds go on: its gateways and HAProxy go, and what they have kept."""

import shutil

from openstackoid.lab import Lab, haproxy, state
from openstackoid.lab.lab import STOP_SECONDS
from openstackoid.lab.layout import GATEWAY, HAPROXY
from openstackoid.lab.processes import stop


def remove_gateways(lab: Lab) -> None:
    """Leave the clouds alone: stop gateways and HAProxy, and remove all that they have kept, and how the clouds met."""
    gateways = [process for name in lab.clouds if (process := lab.process(name, GATEWAY))]
    workers = [process for cloud in lab.clouds.values() for process in haproxy.family(cloud)]
    stop([*gateways, *workers], STOP_SECONDS)
    for cloud in lab.clouds.values():
        shutil.rmtree(cloud.haproxy, ignore_errors=True)
        kept = [
            cloud.gateway_config,
            cloud.keys,
            *cloud.directory.glob("db/trust.sqlite*"),
            *cloud.directory.glob("db/operations.sqlite*"),
            *cloud.etc.glob("peering.*"),
        ]
        for path in [*kept, cloud.audit, cloud.log(GATEWAY), cloud.log(HAPROXY)]:
            path.unlink(missing_ok=True)
    (lab.directory / state.FILE).unlink()
