"""The panel, and who gets it."""

from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard
from openstackoid_dashboard.federation.operating import OperatorPanel


class Usage(OperatorPanel):
    """Use and cost of contracts."""

    name = _("Use and Cost")
    slug = "usage"
    policy_rules = (("virtual-region", "contract:usage"),)


dashboard.Federation.register(Usage)
