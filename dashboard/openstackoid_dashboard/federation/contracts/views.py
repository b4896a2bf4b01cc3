"""The pages of contracts."""

import json
from types import SimpleNamespace
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from horizon import exceptions, tables, views
from openstack_dashboard import policy

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.contracts import diagram
from openstackoid_dashboard.federation.contracts.forms import EventForm
from openstackoid_dashboard.federation.contracts.tables import ContractsTable
from openstackoid_dashboard.federation.operating import OperatorForm
from openstackoid_dashboard.federation.tolerant import attempt

INDEX = "horizon:federation:contracts:index"
# What an operator does; its name as people see it.
EVENTS = {
    "accept": _("Accept"),
    "counter": _("Counter"),
    "reject": _("Reject"),
    "provision": _("Provision"),
    "activate": _("Activate"),
    "suspend": _("Suspend"),
    "resume": _("Resume"),
    "end": _("End"),
}


def one(request: Any, contract: str) -> dict[str, Any]:
    """Find a contract; without it, lead back to the list."""
    found = attempt(request, lambda: api.ask(request, "GET", "contracts", contract), None)
    if found is None:
        raise exceptions.Http302(reverse(INDEX))
    return found


class IndexView(tables.DataTableView):
    """All contracts, of either side."""

    table_class = ContractsTable
    page_title = _("Contracts")

    def get_data(self) -> list[Any]:
        """Ask the control plane."""
        answer = attempt(self.request, lambda: api.ask(self.request, "GET", "contracts"), {"contracts": []})
        return [SimpleNamespace(**contract) for contract in answer["contracts"]]


class DetailView(views.HorizonTemplateView):
    """A contract: its state, what may be done next, its terms and its history."""

    template_name = "federation/contract.html"
    page_title = _("Contract {{ contract.terms.region_name }}")

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """With the events that the operator may cause now."""
        contract = one(self.request, given["contract_id"])
        may = policy.check((("virtual-region", "contract:event"),), self.request)
        allowed = [(event, EVENTS[event]) for event in contract["allowed"] if event in EVENTS] if may else []
        terms = [
            (name, json.dumps(value) if isinstance(value, (dict, list)) else value)
            for name, value in contract["terms"].items()
        ]
        leases = []
        if contract["side"] == "provider" and contract["terms"].get("quota"):
            path = ("contracts", contract["id"], "leases")
            leases = attempt(self.request, lambda: api.ask(self.request, "GET", *path), {"leases": []})["leases"]
        asks = policy.check((("virtual-region", "contract:whois"),), self.request) and contract["side"] == "consumer"
        shown = {
            "contract": contract,
            "may_ask_who": asks,
            "leases": leases,
            "allowed": allowed,
            "terms": terms,
            "drawing": diagram.draw(contract["state"]),
        }
        return {**super().get_context_data(**given), **shown}


class EventView(OperatorForm):
    """Cause an event."""

    form_class = EventForm
    rule = "contract:event"
    help_line = _("The other side learns of it by a signed message.")

    def get_initial(self) -> dict[str, Any]:
        """The contract and the event."""
        return {"contract": one(self.request, self.kwargs["contract_id"]), "event": self.kwargs["event"]}

    def get_success_url(self) -> str:
        """Back to the contract."""
        return reverse("horizon:federation:contracts:detail", args=(self.kwargs["contract_id"],))

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """Named after the event."""
        self.modal_header = self.page_title = self.submit_label = EVENTS[self.kwargs["event"]]
        self.cancel_url = self.get_success_url()
        return super().get_context_data(**given)
