"""This cloud's own APIs, as the operator who defines a virtual region: what of it can be in the region, and what the region's metadata say."""

from collections.abc import Callable, Iterable
from typing import Any

import openstack
from django.utils.translation import gettext as _
from horizon import messages
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3
from openstack.exceptions import SDKException
from openstack_auth import utils
from openstack_dashboard.api import base

from openstackoid_dashboard import probing
from openstackoid_dashboard.errors import FederationError

Choices = list[tuple[str, str]]


def connection(request: Any) -> Any:
    """Give openstacksdk's connection with the user's token, in the region that the user has chosen."""
    user = request.user
    auth = v3.Token(base.url_for(request, "identity"), token=user.token.id, project_id=user.project_id)
    return openstack.connection.Connection(
        session=utils.get_session(auth=auth), region_name=user.services_region, app_name="openstackoid-dashboard"
    )


def probe(request: Any, resources: dict[str, list[str]]) -> dict[str, Any]:
    """Read the metadata of a region from this cloud's APIs.

    Args:
        request: of the user.
        resources: what is in the region.

    Raises:
        FederationError: a service refuses, or does not answer.
    """
    try:
        return probing.probe(connection(request), resources)
    except (SDKException, ClientException) as error:
        raise FederationError(_("This cloud cannot be probed: %s") % error) from None


def choices(request: Any, services: Iterable[str]) -> dict[str, Choices]:
    """Give what can be chosen for a region: `flavors`, `images`, `external_networks` (ids) and `zones` (names), each with what people see.

    Services that do not answer are named in a message, and have nothing to choose.

    Args:
        request: of the user.
        services: types in the catalog.
    """
    cloud = connection(request)

    def networks() -> Choices:
        return [(one.id, one.name) for one in cloud.network.networks(is_router_external=True)]

    reads: dict[str, tuple[str, Callable[[], Choices]]] = {
        "flavors": ("compute", lambda: [(one.id, one.name) for one in cloud.compute.flavors(is_public=True)]),
        "zones": ("compute", lambda: [(one.name, one.name) for one in cloud.compute.availability_zones()]),
        "images": ("image", lambda: [(one.id, one.name) for one in cloud.image.images(visibility="public")]),
        "external_networks": ("network", networks),
    }
    found: dict[str, Choices] = {}
    silent: set[str] = set()
    for kind, (service, read) in reads.items():
        if service not in services or service in silent:
            continue
        try:
            found[kind] = read()
        except (SDKException, ClientException) as error:
            silent.add(service)
            messages.warning(
                request, _("%(service)s does not answer: %(error)s") % {"service": service, "error": error}
            )
    return found
