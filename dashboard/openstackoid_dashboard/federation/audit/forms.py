"""Which requests; sent by GET, since it changes nothing."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import forms

from openstackoid_dashboard.federation.offers.forms import text_input

WHEN = r"^(?:[0-9]{1,6}[smhd]|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]{5,15}(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)$"
DIRECTIONS = (
    ("", _("All directions")),
    ("in", _("By others, here")),
    ("out", _("By our users, elsewhere")),
    ("local", _("Stayed here")),
)


class FilterForm(forms.Form):
    """A filter of the audit; what is empty says nothing."""

    since = forms.RegexField(WHEN, label=_("Since"), required=False, widget=text_input("2h"))
    until = forms.RegexField(WHEN, label=_("Until"), required=False, widget=text_input("2030-01-31T12:00"))
    direction = forms.ChoiceField(label=_("Direction"), required=False, choices=DIRECTIONS)
    peer = forms.CharField(label=_("Cloud"), required=False, max_length=64, widget=text_input("CloudTwo"))
    project = forms.CharField(label=_("Project ID"), required=False, max_length=64, widget=text_input())
    user = forms.CharField(label=_("User ID"), required=False, max_length=64, widget=text_input())
    service = forms.RegexField("^[a-z0-9-]{1,64}$", label=_("Service"), required=False, widget=text_input("image"))
    status = forms.RegexField("^[1-5]([0-9]{2}|xx)$", label=_("Status"), required=False, widget=text_input("4xx"))
    request = forms.CharField(label=_("Request ID"), required=False, max_length=64, widget=text_input("req-"))
    errors_only = forms.BooleanField(label=_("Only refused or failed"), required=False)
    everything = forms.BooleanField(label=_("Without a scope as well"), required=False)

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.fields["direction"].widget.attrs["class"] = "form-control"

    def query(self) -> dict[str, str]:
        """The same as parameters of the gateway's API."""
        data = dict(self.cleaned_data)
        flags = {"errors": data.pop("errors_only"), "all": data.pop("everything")}
        return {name: value for name, value in data.items() if value} | {
            name: "true" for name, value in flags.items() if value
        }
