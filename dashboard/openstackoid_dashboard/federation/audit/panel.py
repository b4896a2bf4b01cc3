"""The panel, and who gets it."""

import horizon
from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard


class Audit(horizon.Panel):
    """Who used what; a cloud with a gateway and no control plane has it, too."""

    name = _("Audit")
    slug = "audit"
    policy_rules = (("virtual-region", "audit:list"),)


dashboard.Federation.register(Audit)
