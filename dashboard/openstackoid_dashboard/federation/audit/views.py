"""The page of the audit."""

from types import SimpleNamespace
from typing import Any

from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from horizon import tables
from horizon.utils import functions

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.audit.forms import FilterForm
from openstackoid_dashboard.federation.audit.tables import AuditTable
from openstackoid_dashboard.federation.tolerant import attempt

MOST_PAGES = 5  # of the gateway, for one of ours: each is a bounded part of the files
FIELDS = (
    *("time", "direction", "user", "home", "project", "cloud", "decision", "peer", "legs", "method", "service", "path"),
    *("status", "error", "damaged", "global_request_id"),
)
NOTHING: dict[str, Any] = {"lines": [], "next": None, "reached": None}


class IndexView(tables.DataTableView):
    """Requests that had a scope or crossed between clouds, or those that the form asks for; older ones a page at a time."""

    table_class = AuditTable
    template_name = "federation/audit.html"
    page_title = _("Audit")

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """With the form, and the way to the next page."""
        context = super().get_context_data(**given)
        asked = {name: value for name, value in self.request.GET.items() if name != "marker" and value}
        older = urlencode({**asked, "marker": self._page["next"]}) if self._page["next"] else ""
        begun = urlencode(asked) if self.request.GET.get("marker") else None
        return {**context, "form": self._form, "older": older, "newest": begun, "reached": self._page["reached"]}

    def get_data(self) -> list[Any]:
        """Ask the gateway."""
        self._form = FilterForm(self.request.GET or None)
        self._page = NOTHING
        lines: list[dict[str, Any]] = []
        if self._form.is_bound and not self._form.is_valid():
            return []
        size = functions.get_page_size(self.request)
        query = self._form.query() if self._form.is_bound else {}
        marker = self.request.GET.get("marker", "")
        for _number in range(MOST_PAGES):
            asked = {**query, "limit": size - len(lines), "marker": marker}
            self._page = attempt(
                self.request, lambda asked=asked: api.operate(self.request, "GET", "audit", asked), NOTHING
            )
            lines += self._page["lines"]
            marker = self._page["next"]
            if not marker or len(lines) >= size:
                break
        return [
            SimpleNamespace(id=number, **{name: line.get(name) for name in FIELDS}) for number, line in enumerate(lines)
        ]
