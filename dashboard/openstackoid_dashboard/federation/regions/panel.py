"""The panel, and who gets it."""

import horizon
from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard


class Regions(horizon.Panel):
    """What this cloud offers."""

    name = _("Virtual Regions")
    slug = "regions"
    permissions = ("openstack.services.virtual-region",)
    policy_rules = (("virtual-region", "virtual_region:list"),)


dashboard.Federation.register(Regions)
