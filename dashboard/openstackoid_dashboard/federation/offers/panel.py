"""The panel, and who gets it."""

import horizon
from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard


class Offers(horizon.Panel):
    """What providers offer."""

    name = _("Offers")
    slug = "offers"
    permissions = ("openstack.services.virtual-region",)
    policy_rules = (("virtual-region", "offer:list"),)


dashboard.Federation.register(Offers)
