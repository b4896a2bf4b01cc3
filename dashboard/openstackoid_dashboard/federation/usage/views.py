"""The page of use and cost."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import views

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.tolerant import attempt
from openstackoid_dashboard.federation.usage import charts
from openstackoid_dashboard.federation.usage.forms import PeriodForm

# Of contracts under which something can have been used.
STATES = ("active", "suspended", "ending", "ended")


class IndexView(views.HorizonTemplateView):
    """Use of all contracts: sums by region and project, bars a day; each contract's control plane, or its provider's, measures."""

    template_name = "federation/usage.html"
    page_title = _("Use and Cost")

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """The month so far, unless another period is asked for."""
        today = datetime.now(UTC).date()
        period = {"begin": today.replace(day=1), "until": today + timedelta(days=1), "measure": ""}
        form = PeriodForm(self.request.GET or None, initial=period)
        context = {**super().get_context_data(**given), "form": form}
        if form.is_bound:
            if not form.is_valid():
                return context
            period = form.cleaned_data
        return context | self._sums(period["begin"], period["until"], period["measure"])

    def _sums(self, begin: date, until: date, wanted: str) -> dict[str, Any]:
        lines = [line for contract in self._contracts() for line in self._lines(contract, begin, until)]
        measures = charts.measures(lines)
        measure = wanted if wanted in measures else next(iter(measures), "")
        regions, projects = (charts.grouped(lines, key, measure) for key in ("region", "label"))
        shown = charts.few(regions)
        bars, top = charts.bars(shown, charts.days_of(begin, until))
        legend = [(series, charts.opacity(place)) for place, series in enumerate(shown)]
        tables = ((_("Region"), regions), (_("Project"), projects))
        return {"measure": measure, "measures": measures, "tables": tables, "bars": bars, "top": top, "legend": legend}

    def _contracts(self) -> list[dict[str, Any]]:
        listed = attempt(self.request, lambda: api.ask(self.request, "GET", "contracts"), {"contracts": []})
        return [contract for contract in listed["contracts"] if contract["state"] in STATES]

    def _lines(self, contract: dict[str, Any], begin: date, until: date) -> list[dict[str, Any]]:
        query = {"from": begin.isoformat(), "until": until.isoformat()}
        path = ("contracts", contract["id"], "usage")
        answer = attempt(self.request, lambda: api.ask(self.request, "GET", *path, query=query), {"lines": []})
        region = f"{contract['region_name']} ({contract['peer']})"
        return [line | {"region": region, "label": line["name"] or line["project"]} for line in answer["lines"]]
