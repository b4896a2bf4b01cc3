"""The panel, and who gets it."""

import horizon
from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard


class Agreements(horizon.Panel):
    """Peers, and what each may do here; a cloud with a gateway and no control plane has it, too."""

    name = _("Peers and Agreements")
    slug = "agreements"
    policy_rules = (("virtual-region", "agreement:list"),)


dashboard.Federation.register(Agreements)
