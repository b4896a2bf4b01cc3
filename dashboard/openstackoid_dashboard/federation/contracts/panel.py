"""The panel, and who gets it."""

from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard
from openstackoid_dashboard.federation.operating import OperatorPanel


class Contracts(OperatorPanel):
    """Contracts of either side."""

    name = _("Contracts")
    slug = "contracts"
    policy_rules = (("virtual-region", "contract:list"),)


dashboard.Federation.register(Contracts)
