"""Where the control plane of virtual regions is: in whatever region of the catalog it stands, since operators are of the cloud, not of a region."""

from typing import Any

TYPE = "virtual-region"
HIDDEN = "hidden_services"  # attribute of a user: see `regions_menu`


def url(user: Any) -> str | None:
    """Give its public URL: the one in the user's region, if there is one, else the first.

    Args:
        user: of Horizon, with a catalog.
    """
    services = [*(getattr(user, "service_catalog", None) or []), *getattr(user, HIDDEN, [])]
    endpoints = [
        endpoint
        for service in services
        if service.get("type") == TYPE
        for endpoint in service.get("endpoints", [])
        if endpoint.get("interface") == "public"
    ]
    endpoints.sort(key=lambda endpoint: endpoint.get("region_id") != user.services_region)
    return endpoints[0]["url"] if endpoints else None
