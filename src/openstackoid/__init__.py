"""OpenStackoid: independent OpenStack clouds that work as one."""
