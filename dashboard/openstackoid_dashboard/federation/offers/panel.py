"""The panel, and who gets it."""

from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard
from openstackoid_dashboard.federation.operating import OperatorPanel


class Offers(OperatorPanel):
    """What providers offer."""

    name = _("Offers")
    slug = "offers"
    policy_rules = (("virtual-region", "offer:list"),)


dashboard.Federation.register(Offers)
