"""The pages of offers."""

from types import SimpleNamespace
from typing import Any

from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _
from horizon import exceptions, messages, tables, views

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.offers.forms import FilterForm, RequestForm
from openstackoid_dashboard.federation.offers.map import marks
from openstackoid_dashboard.federation.offers.tables import OffersTable
from openstackoid_dashboard.federation.operating import OperatorForm
from openstackoid_dashboard.federation.tolerant import attempt


def offers(request: Any, provider: str, **query: str) -> list[SimpleNamespace]:
    """List a provider's offers.

    Raises:
        FederationError: the provider or our control plane refuses, or does not answer.
    """
    found = api.ask(request, "GET", "offers", query={"provider": provider, **query})["offers"]
    return [SimpleNamespace(id=f"{provider}/{offer['name']}", provider=provider, **offer) for offer in found]


def one(request: Any, provider: str, name: str) -> SimpleNamespace:
    """Find an offer; without it, lead back to the list."""
    for offer in attempt(request, lambda: offers(request, provider), []):
        if offer.name == name:
            return offer
    raise to_list(request, _("%(provider)s offers no %(name)s.") % {"provider": provider, "name": name})


def to_list(request: Any, why: Any) -> exceptions.Http302:
    """What leads to the list of offers, and says why there; Horizon's redirect shows no message of its own."""
    messages.error(request, why)
    return exceptions.Http302(reverse("horizon:federation:offers:index"))


def rows(metadata: dict[str, Any]) -> list[tuple[str, Any]]:
    """Give metadata as rows: path, and value with source and time."""
    found = []
    for group, fields in sorted(metadata.items()):
        plain = {"": fields} if "value" in fields else fields
        found += [(f"{group}.{field}".rstrip("."), entry) for field, entry in sorted(plain.items())]
    return found


class IndexView(tables.DataTableView):
    """Offers of all providers, or those that the form asks for."""

    table_class = OffersTable
    template_name = "federation/offers.html"
    page_title = _("Offers")

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """With the form and the map."""
        context = super().get_context_data(**given)
        form = FilterForm(self.request.GET or None)
        return {**context, "form": form, "marks": marks(context["table"].data)}

    def get_data(self) -> list[Any]:
        """Ask each provider through this cloud's control plane."""
        query = self.request.GET
        providers = [query["provider"]] if query.get("provider") else self._providers()
        asked = {"require": query.get("require", ""), "sort": query.get("sort", "")}
        found = (attempt(self.request, lambda name=name: offers(self.request, name, **asked), []) for name in providers)
        return [offer for several in found for offer in several]

    def _providers(self) -> list[str]:
        peers = attempt(self.request, lambda: api.peers(self.request), [])
        return [peer.name for peer in peers if peer.token == "federated"]


class DetailView(views.HorizonTemplateView):
    """One offer with its metadata."""

    template_name = "federation/offer.html"
    page_title = "{{ offer.id }}"

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """Metadata as rows."""
        offer = one(self.request, given["provider"], given["name"])
        return {**super().get_context_data(**given), "offer": offer, "rows": rows(offer.metadata)}


class CompareView(views.HorizonTemplateView):
    """Where offers differ: those that are checked in the list, or all that a link names, with commas between them."""

    template_name = "federation/compare.html"
    page_title = _("Compare Offers")

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """One row a difference."""
        chosen = ",".join(self.request.GET.getlist("offers"))
        if "," not in chosen:
            raise to_list(self.request, _("Select two offers or more."))
        query = {"offers": chosen}
        answer = attempt(self.request, lambda: api.ask(self.request, "GET", "offers", "compare", query=query), {})
        return {
            **super().get_context_data(**given),
            "offers": answer.get("offers", []),
            "rows": list(answer.get("differences", {}).items()),
        }


class RequestView(OperatorForm):
    """Request a contract."""

    form_class = RequestForm
    rule = "contract:request"
    help_line = _("The provider answers by accepting, rejecting, or with other terms. Times are in UTC.")
    modal_header = page_title = submit_label = _("Request Contract")
    success_url = reverse_lazy("horizon:federation:contracts:index")

    def get_initial(self) -> dict[str, Any]:
        """The offer."""
        return {"offer": one(self.request, self.kwargs["provider"], self.kwargs["name"])}
