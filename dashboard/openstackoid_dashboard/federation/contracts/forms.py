"""The form by which an operator causes an event of a contract."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from horizon import forms, messages

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.tolerant import attempt


class EventForm(forms.SelfHandlingForm):
    """A reason, and with `counter` other terms."""

    terms = forms.CharField(label=_("Other terms (JSON)"), widget=forms.Textarea(attrs={"rows": 18}))
    reason = forms.CharField(label=_("Message to the other side"), required=False, max_length=1024)

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        self.fields["terms"].initial = json.dumps(self.initial["contract"]["terms"], indent=2)
        if self.initial["event"] == "accept":
            # Those that the operator sees: what arrives meanwhile is not accepted by mistake.
            self.fields["terms"].widget = forms.HiddenInput()
        elif self.initial["event"] != "counter":
            del self.fields["terms"]

    def clean_terms(self) -> Any:
        """An object."""
        try:
            terms = json.loads(self.cleaned_data["terms"])
        except ValueError as error:
            raise ValidationError(_("Expected JSON: %s") % error) from None
        if not isinstance(terms, dict):
            raise ValidationError(_("Expected a JSON object."))
        return terms

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Cause it."""
        contract, event = self.initial["contract"], self.initial["event"]
        body = {"event": event, "reason": data["reason"]} | ({"terms": data["terms"]} if "terms" in data else {})
        made = attempt(
            request, lambda: api.ask(request, "POST", "contracts", contract["id"], "events", body=body), None
        )
        if made:
            messages.success(request, _("The contract is %s now.") % made["state"])
        return made
