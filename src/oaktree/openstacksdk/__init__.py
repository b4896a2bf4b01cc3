"""openstacksdk over an oaktree: an authentication plugin of keystoneauth, by which an entry of `clouds.yaml` means all clouds of an oaktree.

clouds:
  all:
    auth_type: oaktree
    auth: {oaktree_target: "oaktree.example.org:50051", oaktree_authority: ca.pem}

`openstack.connect(cloud="all")` lists everywhere, and finds, gets, changes and deletes a resource wherever it is; with `region_name="CLOUD"`, only there, and creates.
The plugin names a URL scheme of its own as the endpoint of every service, and mounts a transport for that scheme on the session; the transport turns
requests of openstacksdk's resources into calls of oaktree's generic service. A request that is none of these is answered with HTTP 501.
"""
