"""Metadata of a virtual region, asked of a real cloud."""

import openstack

from openstackoid.client.regions.probing import probe
from openstackoid.lab import Lab
from openstackoid.regions.objects.requirement import met, parse
from openstackoid.regions.schemas import metadata


def test_a_cloud_tells_what_it_has_and_all_of_it_fits(lab: Lab) -> None:
    config = openstack.config.OpenStackConfig(config_files=[str(lab.clouds_yaml)], load_envvars=False)
    connection = openstack.connection.Connection(config=config.get_one(cloud="CloudOne"))
    try:
        values = probe(connection, {})
        one = next(iter(connection.compute.flavors()))
        chosen = probe(connection, {"flavors": [one.id], "zones": []})
    finally:
        connection.close()
    found = metadata.plain(metadata.dated(values, "probed", "2027-01-01T00:00:00Z"))
    assert {"compute", "image", "network"} <= set(found["services"])
    assert found["services"]["compute"]["maximum"].startswith("2.")
    assert any(image["name"].startswith("cirros") for image in found["images"]["catalogue"])
    assert "qcow2" in found["images"]["formats"]
    assert met(parse("flavors.vcpus>=1 and flavors.name=m1.tiny and zones.name=nova"), found)
    assert [flavor["name"] for flavor in chosen["flavors"]] == [one.name]
    assert chosen["zones"] == []
