"""The forms: a new region, and to whom a region is offered."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import forms, messages

from openstackoid_dashboard import api, own_cloud
from openstackoid_dashboard.federation.offers.forms import NAME, add_quotas, quotas
from openstackoid_dashboard.federation.tolerant import attempt

LABELS = {
    "flavors": _("Flavors (none: all public ones)"),
    "images": _("Images (none: all public ones)"),
    "external_networks": _("External networks (none: all)"),
    "zones": _("Availability zones (none: all)"),
}


class CreateForm(forms.SelfHandlingForm):
    """A draft of a region, with what this cloud has to choose from."""

    name = forms.RegexField(f"^{NAME}$", label=_("Name"))
    description = forms.CharField(label=_("Description"), required=False, max_length=1024)
    domain_id = forms.RegexField("^[A-Za-z0-9_-]{1,64}$", label=_("ID of the domain"))
    services = forms.MultipleChoiceField(label=_("Services"), widget=forms.CheckboxSelectMultiple())

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        ours = {"identity", "virtual-region", "placement"}
        kinds = sorted({service["type"] for service in request.user.service_catalog} - ours)
        self.fields["services"].choices = [(kind, kind) for kind in kinds]
        for name, found in own_cloud.choices(request, kinds).items():
            self.fields[name] = forms.MultipleChoiceField(
                label=LABELS[name], choices=found, required=False, widget=forms.CheckboxSelectMultiple()
            )
        add_quotas(self, {})
        self.fields["probe"] = forms.BooleanField(
            label=_("Fill its metadata with what this cloud's own services tell"), required=False, initial=True
        )

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Create it."""
        body = {name: data[name] for name in ("name", "description", "domain_id", "services")}
        body["quota"] = quotas(data)
        resources = {name: data[name] for name in LABELS if data.get(name)}
        if resources:
            body["resources"] = resources
        made = attempt(request, lambda: api.ask(request, "POST", "virtual-regions", body=body), None)
        if made:
            messages.success(request, _("Created the virtual region %s.") % made["name"])
            if data["probe"]:
                attempt(request, lambda: fill(request, made), None)
        return made


def fill(request: Any, region: dict[str, Any]) -> Any:
    """Fill the metadata of a region with what this cloud's services tell; what an operator has declared stays.

    Raises:
        FederationError: a service or the control plane refuses, or does not answer.
    """
    body = {"source": "probed", "values": own_cloud.probe(request, region.get("resources") or {})}
    return api.ask(request, "POST", "virtual-regions", region["id"], "metadata", body=body)


class OfferForm(forms.SelfHandlingForm):
    """To whom."""

    peers = forms.MultipleChoiceField(
        label=_("Offer to"), required=False, widget=forms.CheckboxSelectMultiple(), help_text=_("None means all peers.")
    )

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        found = attempt(request, lambda: api.peers(request), [])
        self.fields["peers"].choices = [(peer.name, peer.name) for peer in found if peer.token == "federated"]

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Offer it."""
        body = {"peers": data["peers"]} if data["peers"] else {}
        path = ("virtual-regions", self.initial["region"], "offer")
        made = attempt(request, lambda: api.ask(request, "POST", *path, body=body), None)
        if made:
            messages.success(request, _("Offered %s.") % made["name"])
        return made
