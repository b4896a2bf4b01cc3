"""What a member does in a region by openstacksdk: everything is the user's own there, and nothing of it is in another region."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import openstack
import pytest
from tests.market.market import Market

pytestmark = pytest.mark.real

NAME: Final = f"sdk-{secrets.token_hex(3)}"
PATIENCE: Final = 180  # seconds


@pytest.fixture
def regions(market: Market) -> Iterator[tuple[Any, Any]]:
    """The same user's connections in V1 and V2."""
    config = openstack.config.OpenStackConfig(config_files=[str(market.xavier.file)], load_envvars=False)
    first, second = (
        openstack.connection.Connection(config=config.get_one(cloud=market.xavier.entry, region_name=region))
        for region in ("V1", "V2")
    )
    with closing(first), closing(second):
        yield first, second


def test_a_member_works_in_one_region(market: Market, regions: tuple[Any, Any]) -> None:
    here, elsewhere = regions
    compute, network, image = here.compute, here.network, here.image
    own = market.xavier.project

    net = network.create_network(name=NAME)
    subnet = network.create_subnet(name=NAME, network_id=net.id, ip_version=4, cidr="10.7.0.0/24")
    router = network.create_router(name=NAME)
    network.add_interface_to_router(router, subnet=subnet.id)
    group = network.create_security_group(name=NAME)
    rule = network.create_security_group_rule(security_group_id=group.id, direction="ingress", protocol="tcp")
    assert {one.project_id for one in (net, subnet, router, group, rule)} == {own}
    key = compute.create_keypair(name=NAME)
    assert key.private_key

    data = secrets.token_bytes(1 << 18)
    made = image.create_image(NAME, data=data, disk_format="raw", container_format="bare", wait=True, timeout=PATIENCE)
    assert image.get_image(made.id).owner == own
    assert image.download_image(made.id).content == data

    flavor, cirros = compute.find_flavor("m1.tiny"), image.find_image("cirros")
    server = compute.create_server(
        name=NAME,
        flavor_id=flavor.id,
        image_id=cirros.id,
        networks=[{"uuid": net.id}],
        key_name=NAME,
        security_groups=[{"name": NAME}],
    )
    server = compute.wait_for_server(server, wait=PATIENCE)
    assert (server.project_id, server.user_id) == (own, market.xavier.user)
    for act, status in (
        (compute.stop_server, "SHUTOFF"),
        (compute.start_server, "ACTIVE"),
        (compute.pause_server, "PAUSED"),
        (compute.unpause_server, "ACTIVE"),
        (lambda one: compute.reboot_server(one, "HARD"), "ACTIVE"),
    ):
        act(server)
        server = compute.wait_for_server(server, status=status, wait=PATIENCE)
    compute.set_server_metadata(server, mark=NAME)
    assert compute.get_server(server.id).metadata == {"mark": NAME}
    assert compute.get_server_console_output(server)["output"]

    assert compute.get_limits().absolute.instances_used >= 1
    assert compute.get_quota_set(own).id == own
    assert network.get_quota(own).networks
    assert compute.get_usage(own).server_usages

    for mine in (
        elsewhere.network.networks(name=NAME),
        elsewhere.network.security_groups(name=NAME),
        elsewhere.compute.servers(name=NAME),
        elsewhere.image.images(name=NAME),
        [one for one in elsewhere.compute.keypairs() if one.name == NAME],
    ):
        assert list(mine) == []
    assert elsewhere.compute.find_server(server.id) is None

    compute.delete_server(server)
    compute.wait_for_delete(server, wait=PATIENCE)
    network.remove_interface_from_router(router, subnet=subnet.id)
    network.delete_router(router)
    network.delete_network(net)
    network.delete_security_group(group)
    image.delete_image(made)
    compute.delete_keypair(key)
    assert list(network.ports(network_id=net.id)) == []
