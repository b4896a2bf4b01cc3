"""The floating IP of a server that was created with `auto_ip`. Its mark prevents duplicates, and finds it again. All functions block."""

from collections.abc import Mapping
from typing import Any, Final

import openstack.exceptions as sdk

from openstackoid.oaktree import answers, errors
from openstackoid.oaktree.creates.reconciling import MARK
from openstackoid.oaktree.upstream.entries import offered, usable
from openstackoid.oaktree.upstream.regions import Region

# In a part's record: the server may have a floating IP.
RECORDED: Final = "auto_ip"


def add(region: Region, server_id: str, mark: str, pool: str) -> bool:
    """Give a server a floating IP, unless it has one, or an address of an external network. Returns whether one was made now.

    One request makes the floating IP and attaches it, so nothing is left over if the answer is lost: it is found by its mark.

    Args:
        region: the cloud-region.
        server_id: id of a server that is ready.
        mark: the mark of the create.
        pool: the external network, by name or id; empty for the first.

    Raises:
        errors.MissingError: no external network, or none of this name; or no port with an IPv4 address.
        Exception: the error of openstacksdk.
    """
    network, place = _network(region), "/".join(filter(None, region.key))
    ports = [port for port in network.ports(device_id=server_id) if _ipv4(port)]
    if any(True for port in ports for _ in network.ips(port_id=port.id)) or _marked(network, mark):
        return False
    external = {external_network.id: external_network for external_network in network.networks(is_router_external=True)}
    if any(port.network_id in external for port in ports):
        return False
    wanted = [item.id for item in external.values() if not pool or pool in (item.id, item.name)]
    if not wanted:
        raise errors.MissingError(f"{place} has no external network{f' {pool!r}' if pool else ''} for a floating IP.")
    if not ports:
        raise errors.MissingError(f"server {server_id} in {place} has no port with an IPv4 address for a floating IP.")
    port = ports[0]
    network.create_ip(
        floating_network_id=wanted[0],
        port_id=port.id,
        fixed_ip_address=_ipv4(port),
        description=f"{MARK}={mark}",
    )
    return True


def remove(region: Region, sought: Mapping[str, Any]) -> None:
    """Delete the floating IP that `add` made for a part; does nothing if it does not exist."""
    if not sought.get(RECORDED):
        return
    network = _network(region)
    for address in _marked(network, sought["mark"]):
        try:
            network.delete_ip(address, ignore_missing=False)
        except sdk.HttpException as error:
            if not answers.absent(error):
                raise


def _network(region: Region) -> Any:
    cloud: Any = region.connect()
    with offered(cloud), usable(cloud):
        return cloud.network


def _marked(network: Any, mark: str) -> list[Any]:
    wanted = f"{MARK}={mark}"
    return [ip for ip in network.ips(description=wanted) if ip.description == wanted]


def _ipv4(port: Any) -> str:
    return next(
        (str(fixed_ip["ip_address"]) for fixed_ip in port.fixed_ips or () if "." in str(fixed_ip.get("ip_address"))), ""
    )
