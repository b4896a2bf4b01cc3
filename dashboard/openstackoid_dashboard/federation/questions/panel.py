"""The panel, and who gets it."""

import horizon
from django.utils.translation import gettext_lazy as _

from openstackoid_dashboard.federation import dashboard


class Questions(horizon.Panel):
    """Where a request goes, and why."""

    name = _("Explain")
    slug = "questions"


dashboard.Federation.register(Questions)
