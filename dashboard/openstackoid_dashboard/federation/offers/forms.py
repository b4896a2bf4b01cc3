"""The forms: which offers to list, and the request for a contract."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import forms, messages

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.tolerant import attempt

QUOTAS = ("instances", "cores", "ram", "volumes", "gigabytes", "networks", "ports", "floating_ips")
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"


def time_after(days: int) -> str:
    """A time so many days from now, in the form of terms."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def add_quotas(form: Any, given: dict[str, int]) -> None:
    """Add a field for each quota."""
    for name in QUOTAS:
        form.fields[f"quota_{name}"] = forms.IntegerField(
            label=_("Quota: %s") % name.replace("_", " "), min_value=0, required=False, initial=given.get(name)
        )


def quotas(data: dict[str, Any]) -> dict[str, int]:
    """The quotas that are filled in."""
    return {name: data[f"quota_{name}"] for name in QUOTAS if data.get(f"quota_{name}") is not None}


def text_input(placeholder: str = "") -> forms.TextInput:
    """A field as Horizon's own."""
    return forms.TextInput(attrs={"class": "form-control", "placeholder": placeholder})


class FilterForm(forms.Form):
    """Which offers; sent by GET, since it changes nothing."""

    provider = forms.CharField(label=_("Provider"), required=False, widget=text_input())
    require = forms.CharField(
        label=_("Requirement"), required=False, widget=text_input("flavors.vcpus>=8 and location.country=FR")
    )
    sort = forms.CharField(label=_("Sort by"), required=False, widget=text_input("price"))


class RequestForm(forms.SelfHandlingForm):
    """Terms of a new contract."""

    region_name = forms.RegexField(f"^{NAME}$", label=_("Region name at this cloud"))
    services = forms.MultipleChoiceField(label=_("Services"), widget=forms.CheckboxSelectMultiple())
    begin = forms.RegexField(f"^{TIME}$", label=_("From"), initial=lambda: time_after(0))
    until = forms.RegexField(f"^{TIME}$", label=_("Until"), required=False)
    answer_by = forms.RegexField(f"^{TIME}$", label=_("Answer by"), initial=lambda: time_after(14))
    grace_days = forms.IntegerField(label=_("Grace days"), min_value=0, max_value=365, initial=30)
    reason = forms.CharField(label=_("Message to the provider"), required=False, max_length=1024)

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        offer = self.initial["offer"]
        self.fields["services"].choices = [(name, name) for name in offer.services]
        self.fields["services"].initial = offer.services
        add_quotas(self, offer.quota)

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Send it."""
        offer = self.initial["offer"]
        terms = {
            "virtual_region": offer.virtual_region,
            "version": offer.version,
            "region_name": data["region_name"],
            "services": data["services"],
            "quota": quotas(data),
            "from": data["begin"],
            "until": data["until"] or None,
            "answer_by": data["answer_by"],
            "grace_days": data["grace_days"],
        }
        body = {"provider": offer.provider, "terms": terms, "reason": data["reason"]}
        made = attempt(request, lambda: api.ask(request, "POST", "contracts", body=body), None)
        if made:
            messages.success(request, _("Requested a contract from %s.") % offer.provider)
        return made
