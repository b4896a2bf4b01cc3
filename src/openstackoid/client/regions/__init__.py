"""Commands of the `openstack` client for virtual regions and contracts."""
