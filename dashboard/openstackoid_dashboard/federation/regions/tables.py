"""The table of virtual regions, and what is done with them."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from horizon import tables

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.regions.forms import fill


class Create(tables.LinkAction):
    """A draft."""

    name = "create"
    verbose_name = _("Create Virtual Region")
    url = "horizon:federation:regions:create"
    classes = ("ajax-modal",)
    icon = "plus"
    policy_rules = (("virtual-region", "virtual_region:create"),)


class Offer(tables.LinkAction):
    """Offer a region to peers."""

    name = "offer"
    verbose_name = _("Offer")
    classes = ("ajax-modal",)
    policy_rules = (("virtual-region", "virtual_region:offer"),)

    def get_link_url(self, region: Any) -> str:
        """The form."""
        return reverse("horizon:federation:regions:offer", args=(region.id,))

    def allowed(self, _request: Any, region: Any = None) -> bool:
        """As the states have it."""
        return region is None or region.state in ("draft", "withdrawn")


class Withdraw(tables.BatchAction):
    """Offer it to nobody any more; contracts go on."""

    name = "withdraw"
    policy_rules = (("virtual-region", "virtual_region:withdraw"),)

    @staticmethod
    def action_present(count: int) -> str:
        """Name."""
        return ngettext_lazy("Withdraw", "Withdraw", count)

    @staticmethod
    def action_past(count: int) -> str:
        """Name, when it is done."""
        return ngettext_lazy("Withdrew", "Withdrew", count)

    def allowed(self, _request: Any, region: Any = None) -> bool:
        """As the states have it."""
        return region is None or region.state == "offered"

    def action(self, request: Any, obj_id: str) -> None:
        """Withdraw one."""
        api.ask(request, "POST", "virtual-regions", obj_id, "withdraw", body={})


class Probe(tables.BatchAction):
    """Fill its metadata again."""

    name = "probe"
    policy_rules = (("virtual-region", "virtual_region:update"),)

    @staticmethod
    def action_present(count: int) -> str:
        """Name."""
        return ngettext_lazy("Probe", "Probe", count)

    @staticmethod
    def action_past(count: int) -> str:
        """Name, when it is done."""
        return ngettext_lazy("Probed", "Probed", count)

    def allowed(self, _request: Any, region: Any = None) -> bool:
        """As the states have it."""
        return region is None or region.state != "retired"

    def action(self, request: Any, obj_id: str) -> None:
        """Probe one."""
        fill(request, api.ask(request, "GET", "virtual-regions", obj_id))


class Declare(tables.LinkAction):
    """Declare what no service tells."""

    name = "declare"
    verbose_name = _("Declare Metadata")
    classes = ("ajax-modal",)
    policy_rules = (("virtual-region", "virtual_region:update"),)

    def get_link_url(self, region: Any) -> str:
        """The form."""
        return reverse("horizon:federation:regions:declare", args=(region.id,))

    def allowed(self, _request: Any, region: Any = None) -> bool:
        """As the states have it."""
        return region is None or region.state != "retired"


class Retire(tables.DeleteAction):
    """Retire a region that is not offered."""

    name = "retire"
    policy_rules = (("virtual-region", "virtual_region:delete"),)

    @staticmethod
    def action_present(count: int) -> str:
        """Name."""
        return ngettext_lazy("Retire", "Retire", count)

    @staticmethod
    def action_past(count: int) -> str:
        """Name, when it is done."""
        return ngettext_lazy("Retired", "Retired", count)

    def allowed(self, _request: Any, region: Any = None) -> bool:
        """As the states have it."""
        return region is None or region.state in ("draft", "withdrawn")

    def delete(self, request: Any, obj_id: str) -> None:
        """Retire one."""
        api.ask(request, "DELETE", "virtual-regions", obj_id)


def offered_to(region: Any) -> str:
    """The peers, while it is offered; the control plane remembers them afterwards."""
    if region.state != "offered":
        return ""
    return ", ".join(region.offered_to) or _("all peers")


class RegionsTable(tables.DataTable):
    """One row a region."""

    name = tables.Column("name", verbose_name=_("Name"), link="horizon:federation:regions:detail")
    state = tables.Column("state", verbose_name=_("State"))
    version = tables.Column("version", verbose_name=_("Version"))
    services = tables.Column(lambda region: ", ".join(region.services), verbose_name=_("Services"))
    offered_to = tables.Column(offered_to, verbose_name=_("Offered To"))
    contracts = tables.Column("contracts", verbose_name=_("Contracts"))
    description = tables.Column("description", verbose_name=_("Description"))

    class Meta:
        name = "regions"
        verbose_name = _("Virtual Regions")
        hidden_title = True
        multi_select = False
        table_actions = (Create,)
        row_actions = (Offer, Withdraw, Probe, Declare, Retire)
