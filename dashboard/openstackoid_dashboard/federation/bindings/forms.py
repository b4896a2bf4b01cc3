"""The form that binds a region of the catalog to a contract."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import forms, messages

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.offers.forms import NAME
from openstackoid_dashboard.federation.tolerant import attempt

USABLE = ("active", "suspended", "ending")  # in which the control plane binds a region


class BindForm(forms.SelfHandlingForm):
    """A contract of this cloud as consumer, and the region's name, by default that of the terms."""

    contract = forms.ChoiceField(label=_("Contract"))
    region = forms.RegexField(f"^{NAME}$", label=_("Region name"), required=False)

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        listed = attempt(request, lambda: api.ask(request, "GET", "contracts"), {"contracts": []})["contracts"]
        bound = attempt(request, lambda: api.ask(request, "GET", "bindings"), {"bindings": []})["bindings"]
        taken = {binding["contract"] for binding in bound}
        self._names = {contract["id"]: contract["region_name"] for contract in listed}
        self.fields["contract"].choices = [
            (contract["id"], f"{contract['region_name']} ({contract['peer']}, {contract['state']})")
            for contract in listed
            if contract["side"] == "consumer" and contract["state"] in USABLE and contract["id"] not in taken
        ]

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Bind it."""
        body = {"contract": data["contract"], "region": data["region"] or self._names[data["contract"]]}
        made = attempt(request, lambda: api.ask(request, "POST", "bindings", body=body), None)
        if made:
            messages.success(request, _("The region %s is being bound.") % made["region"])
        return made
