"""Where a user begins: as in Horizon, unless no region of the catalog has servers, as before the first virtual region is bound."""

from typing import Any

from django.urls import reverse
from openstack_dashboard import views
from openstack_dashboard.api import base


def user_home(user: Any) -> str:
    """Give the URL of the first page."""
    services = base.get_service_from_catalog(user.service_catalog, "compute")
    return views.get_user_home(user) if services else reverse("horizon:federation:clouds:index")
