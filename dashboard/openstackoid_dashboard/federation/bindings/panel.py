"""The panel, and who gets it."""

from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard
from openstackoid_dashboard.federation.operating import OperatorPanel


class Bindings(OperatorPanel):
    """Bound regions."""

    name = _("Bound Regions")
    slug = "bindings"
    policy_rules = (("virtual-region", "binding:list"),)


dashboard.Federation.register(Bindings)
