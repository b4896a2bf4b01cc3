"""The pages of virtual regions."""

from types import SimpleNamespace
from typing import Any

from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _
from horizon import exceptions, tables, views

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.offers.views import rows
from openstackoid_dashboard.federation.operating import OperatorForm
from openstackoid_dashboard.federation.regions.declared import DeclareForm
from openstackoid_dashboard.federation.regions.forms import CreateForm, OfferForm
from openstackoid_dashboard.federation.regions.tables import RegionsTable
from openstackoid_dashboard.federation.tolerant import attempt

INDEX = reverse_lazy("horizon:federation:regions:index")


class IndexView(tables.DataTableView):
    """Regions of this cloud."""

    table_class = RegionsTable
    page_title = _("Virtual Regions")

    def get_data(self) -> list[Any]:
        """Ask the control plane."""
        answer = attempt(self.request, lambda: api.ask(self.request, "GET", "virtual-regions"), {"virtual_regions": []})
        return [SimpleNamespace(**region) for region in answer["virtual_regions"]]


class DetailView(views.HorizonTemplateView):
    """A region: what is in it, what its metadata say, and who changed it when."""

    template_name = "federation/region.html"
    page_title = "{{ region.name }}"

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """Ask the control plane."""
        path = ("virtual-regions", given["region_id"])
        region = attempt(self.request, lambda: api.ask(self.request, "GET", *path), None)
        if region is None:
            raise exceptions.Http302(reverse("horizon:federation:regions:index"))
        history = attempt(self.request, lambda: api.ask(self.request, "GET", *path, "history"), {"events": []})
        shown = {"region": region, "rows": rows(region["metadata"]), "events": history["events"]}
        return {**super().get_context_data(**given), **shown}


class CreateView(OperatorForm):
    """A new region."""

    form_class = CreateForm
    success_url = INDEX
    rule = "virtual_region:create"
    modal_header = page_title = submit_label = _("Create Virtual Region")
    help_line = _(
        "A draft: peers see it when it is offered. What no service tells, such as its place, is declared afterwards."
    )

    def get_initial(self) -> dict[str, Any]:
        """The operator's own domain, as a proposal."""
        return {"domain_id": self.request.user.user_domain_id}


class OfferView(OperatorForm):
    """Offer a region."""

    form_class = OfferForm
    success_url = INDEX
    rule = "virtual_region:offer"
    modal_header = page_title = submit_label = _("Offer Virtual Region")
    help_line = _("Peers see name, description, services, rules, quota and metadata, and neither the domain nor ids.")

    def get_initial(self) -> dict[str, Any]:
        """Which region."""
        return {"region": self.kwargs["region_id"]}


class DeclareView(OperatorForm):
    """Declare metadata."""

    form_class = DeclareForm
    success_url = INDEX
    rule = "virtual_region:update"
    modal_header = page_title = submit_label = _("Declare Metadata")
    help_line = _(
        "What no service of this cloud tells: place, prices, guarantees. What is empty here stays as it was declared before. "
        "The YAML may have every declared group: cpu, guests, storage, quota, certifications, zones, credential."
    )

    def get_initial(self) -> dict[str, Any]:
        """The region, with what was declared before."""
        path = ("virtual-regions", self.kwargs["region_id"])
        region = attempt(self.request, lambda: api.ask(self.request, "GET", *path), None)
        if region is None:
            raise exceptions.Http302(reverse("horizon:federation:regions:index"))
        return {"region": region}
