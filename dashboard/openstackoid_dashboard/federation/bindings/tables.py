"""The table of bound regions, and what is done with them."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from horizon import tables

from openstackoid_dashboard import api


class Bind(tables.LinkAction):
    """Put a region into the catalog."""

    name = "bind"
    verbose_name = _("Bind Region")
    url = "horizon:federation:bindings:bind"
    classes = ("ajax-modal",)
    icon = "plus"
    policy_rules = (("virtual-region", "binding:create"),)


class Unbind(tables.DeleteAction):
    """Take a region out of the catalog."""

    name = "unbind"
    policy_rules = (("virtual-region", "binding:delete"),)

    @staticmethod
    def action_present(count: int) -> str:
        """Name."""
        return ngettext_lazy("Unbind Region", "Unbind Regions", count)

    @staticmethod
    def action_past(count: int) -> str:
        """Name, when it is done."""
        return ngettext_lazy("Unbound Region", "Unbound Regions", count)

    def delete(self, request: Any, obj_id: str) -> None:
        """Unbind one."""
        api.ask(request, "DELETE", "bindings", obj_id)


def health(binding: Any) -> str:
    """Whether the region answers, and why not; nothing where the control plane does not say."""
    found = binding.health
    return " ".join(filter(None, (found.get("state", ""), found.get("reason", ""))))


class BindingsTable(tables.DataTable):
    """One row a region."""

    region = tables.Column("region", verbose_name=_("Region"))
    state = tables.Column("state", verbose_name=_("State"))
    health = tables.Column(health, verbose_name=_("Health"))
    provider = tables.Column("provider", verbose_name=_("Provider"))
    contract_state = tables.Column(
        "contract_state",
        verbose_name=_("Contract"),
        link=lambda binding: reverse("horizon:federation:contracts:detail", args=(binding.contract,)),
    )
    services = tables.Column(lambda binding: ", ".join(binding.services), verbose_name=_("Services"))
    error = tables.Column("error", verbose_name=_("Last Error"))

    def get_object_display(self, binding: Any) -> str:
        """Name for messages."""
        return binding.region

    class Meta:
        name = "bindings"
        verbose_name = _("Bound Regions")
        hidden_title = True
        multi_select = False
        table_actions = (Bind,)
        row_actions = (Unbind,)
