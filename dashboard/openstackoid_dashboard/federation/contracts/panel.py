"""The panel, and who gets it."""

import horizon
from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard


class Contracts(horizon.Panel):
    """Contracts of either side."""

    name = _("Contracts")
    slug = "contracts"
    permissions = ("openstack.services.virtual-region",)
    policy_rules = (("virtual-region", "contract:list"),)


dashboard.Federation.register(Contracts)
