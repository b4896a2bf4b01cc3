"""The table of offers, and what is done with them."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from horizon import tables

MOST_COMPARED = 16


def metadata(offer: Any, group: str, field: str) -> str:
    """One value of an offer's metadata; nothing if the offer does not say."""
    value = offer.metadata.get(group, {}).get(field, {}).get("value", "")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def prices(offer: Any) -> str:
    """Prices, each with its unit."""
    currency = metadata(offer, "price", "currency")
    items = offer.metadata.get("price", {}).get("items", {}).get("value", [])
    return "; ".join(f"{item['sku']}: {item['amount']} {currency}/{item['unit']}" for item in items)


def location(offer: Any) -> str:
    """City and country."""
    return ", ".join(filter(None, (metadata(offer, "location", "city"), metadata(offer, "location", "country"))))


def checkbox(offer: Any) -> str:
    """What chooses an offer for the form that compares. Horizon hides the checkboxes of its own column from keyboards and screen readers."""
    label = _("Select %s") % offer.id
    return format_html(
        '<input type="checkbox" form="compare" name="offers" value="{}" aria-label="{}">', offer.id, label
    )


class CompareAll(tables.LinkAction):
    """Show where the listed offers differ; the form above the table says which ones are listed."""

    name = "compare"
    verbose_name = _("Compare All")
    icon = "balance-scale"

    def get_link_url(self, _offer: Any = None) -> str:
        """The page that compares."""
        offers = ",".join(offer.id for offer in self.table.data)
        return reverse("horizon:federation:offers:compare") + "?" + urlencode({"offers": offers})

    def allowed(self, _request: Any, _offer: Any = None) -> bool:
        """For as many offers as the control plane compares."""
        return 1 < len(self.table.data) <= MOST_COMPARED


class Request(tables.LinkAction):
    """Request a contract."""

    name = "request"
    verbose_name = _("Request Contract")
    classes = ("ajax-modal",)
    icon = "handshake-o"
    policy_rules = (("virtual-region", "contract:request"),)

    def get_link_url(self, offer: Any) -> str:
        """The form."""
        return reverse("horizon:federation:offers:request", args=(offer.provider, offer.name))


class OffersTable(tables.DataTable):
    """One row an offer."""

    select = tables.Column(checkbox, verbose_name=_("Select"), sortable=False)
    name = tables.Column(
        "name",
        verbose_name=_("Offer"),
        link=lambda offer: reverse("horizon:federation:offers:detail", args=(offer.provider, offer.name)),
    )
    provider = tables.Column("provider", verbose_name=_("Provider"))
    services = tables.Column(lambda offer: ", ".join(offer.services), verbose_name=_("Services"))
    location = tables.Column(location, verbose_name=_("Location"))
    price = tables.Column(prices, verbose_name=_("Price"))
    description = tables.Column("description", verbose_name=_("Description"))

    def get_object_display(self, offer: Any) -> str:
        """Name for messages."""
        return offer.id

    class Meta:
        name = "offers"
        verbose_name = _("Offers")
        hidden_title = True
        multi_select = False
        table_actions = (CompareAll,)
        row_actions = (Request,)
