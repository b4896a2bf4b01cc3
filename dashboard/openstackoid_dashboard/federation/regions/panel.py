"""The panel, and who gets it."""

from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard
from openstackoid_dashboard.federation.operating import OperatorPanel


class Regions(OperatorPanel):
    """What this cloud offers."""

    name = _("Virtual Regions")
    slug = "regions"
    policy_rules = (("virtual-region", "virtual_region:list"),)


dashboard.Federation.register(Regions)
