"""The pages of bound regions."""

from types import SimpleNamespace
from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from horizon import tables

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.bindings.forms import BindForm
from openstackoid_dashboard.federation.bindings.tables import BindingsTable
from openstackoid_dashboard.federation.operating import OperatorForm
from openstackoid_dashboard.federation.tolerant import attempt


class IndexView(tables.DataTableView):
    """Regions that are bound, or on their way."""

    table_class = BindingsTable
    page_title = _("Bound Regions")

    def get_data(self) -> list[Any]:
        """Ask the control plane."""
        answer = attempt(self.request, lambda: api.ask(self.request, "GET", "bindings"), {"bindings": []})
        return [SimpleNamespace(id=row["region"], **{"health": {}} | row) for row in answer["bindings"]]


class BindView(OperatorForm):
    """Bind a region."""

    form_class = BindForm
    success_url = reverse_lazy("horizon:federation:bindings:index")
    rule = "binding:create"
    modal_header = page_title = submit_label = _("Bind Region")
    help_line = _("The region and its endpoints appear in this cloud's catalog; users find it in the menu of regions.")
