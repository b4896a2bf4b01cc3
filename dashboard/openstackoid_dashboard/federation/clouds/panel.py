"""The panel, and who gets it."""

import horizon
from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard


class Clouds(horizon.Panel):
    """Peers and agreements."""

    name = _("Clouds")
    slug = "clouds"


dashboard.Federation.register(Clouds)
