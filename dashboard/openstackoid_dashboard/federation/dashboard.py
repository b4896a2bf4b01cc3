"""The dashboard and the order of its panels."""

import horizon
from django.utils.translation import gettext_lazy as _


class Everybody(horizon.PanelGroup):
    """What users of scopes see."""

    slug = "users"
    name = _("Users")
    panels = ("clouds", "resources", "questions")


class Operators(horizon.PanelGroup):
    """What operators of this cloud see."""

    slug = "operators"
    name = _("Operators")
    panels = ("agreements", "audit", "offers", "contracts", "bindings", "usage", "regions")


class Federation(horizon.Dashboard):
    """Clouds that work together."""

    name = _("Federation")
    slug = "federation"
    panels = (Everybody, Operators)
    default_panel = "clouds"


horizon.register(Federation)
