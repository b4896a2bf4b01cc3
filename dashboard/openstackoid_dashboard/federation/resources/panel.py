"""The panel, and who gets it."""

import horizon
from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard


class Resources(horizon.Panel):
    """Servers, images, networks and volumes of all clouds."""

    name = _("Resources")
    slug = "resources"


dashboard.Federation.register(Resources)
