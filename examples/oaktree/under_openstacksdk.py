"""openstacksdk through an oaktree: every server of every cloud, and a network in the cloud "one". clouds.yaml has `all: {auth_type: oaktree}`."""

import openstack

for server in openstack.connect(cloud="all").compute.servers():
    print(server.name, server.status)
openstack.connect(cloud="all", region_name="one").network.create_network(name="made-by-openstacksdk")
