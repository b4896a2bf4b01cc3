"""What a probe asks of services, and the use of a contract: answered as they do (nova/api/openstack/compute/versions.py, glance/api/versions.py, and so on)."""

from typing import Any, Final

FLAVOR: Final = {"id": "f1", "name": "m1.probed", "vcpus": 2, "ram": 2048, "disk": 20, "extra_specs": {}}
IMAGE: Final = {
    "id": "1" * 32,
    "name": "probed-image",
    "status": "active",
    "visibility": "public",
    "os_distro": "debian",
}


def answers(base: str) -> dict[str, Any]:
    """Path -> JSON.

    Args:
        base: URL before the paths.
    """
    compute: dict[str, Any] = {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1"}
    compute["links"] = [{"rel": "self", "href": f"{base}/compute/v2.1/"}]
    image = {"id": "v2.15", "status": "CURRENT", "links": [{"rel": "self", "href": f"{base}/image/v2/"}]}
    network = {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{base}/network/v2.0/"}]}
    volume: dict[str, Any] = {"id": "v3.0", "status": "CURRENT", "version": "3.70", "min_version": "3.0"}
    volume["links"] = [{"rel": "self", "href": f"{base}/volume/v3/"}]
    zone = {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}
    return {
        "/compute": {"versions": [compute]},
        "/compute/v2.1": {"version": compute},
        "/compute/v2.1/flavors": {"flavors": [FLAVOR]},
        "/compute/v2.1/flavors/detail": {"flavors": [FLAVOR]},
        "/compute/v2.1/os-availability-zone": {"availabilityZoneInfo": [zone]},
        "/image": {"versions": [image]},
        "/image/v2/images": {"images": [IMAGE]},
        "/network": {"versions": [network]},
        "/network/v2.0/networks": {"networks": []},
        "/network/v2.0/extensions": {"extensions": []},
        "/volume": {"versions": [volume]},
        "/volume/v3": {"versions": [volume]},
        "/volume/v3/types": {"volume_types": []},
        "/image/v2/schemas/image": {"properties": {"disk_format": {"enum": ["raw", "qcow2"]}}},
    }


def usage(day: str) -> dict[str, Any]:
    """Use of two projects on a day, as a control plane shows it."""
    line = {"day": day, "sku": "m1.small", "unit": "hour"}
    mine = {**line, "project": "a" * 32, "name": "blackboard", "quantity": "24.000000", "cost": {"EUR": "0.288"}}
    other = {**line, "project": "b" * 32, "name": "", "quantity": "12.000000", "cost": {"EUR": "0.144"}}
    return {"lines": [mine, other], "totals": {"EUR": "0.432"}}
