"""Who a pseudonym is, for an abuse report of a provider; the control plane writes down who asked, and why."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from horizon import forms, messages

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.operating import OperatorForm
from openstackoid_dashboard.federation.tolerant import submit


class WhoisForm(forms.SelfHandlingForm):
    """A pseudonym, and why somebody must be known."""

    id = forms.RegexField("^[A-Za-z0-9_-]{1,64}$", label=_("Pseudonym, or ID of a user at the provider"))
    reason = forms.CharField(
        label=_("Reason"), max_length=1024, help_text=_("Such as the number of the report. It is written down.")
    )

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Ask."""
        path, body = ("contracts", self.initial["contract"], "whois"), {"id": data["id"], "reason": data["reason"]}
        fields = {"id": "id", "reason": "reason"}
        found = submit(self, lambda: api.ask(request, "POST", *path, body=body), fields, "$.")
        if found:
            shown = {"asked": data["id"], **{name: found[name] for name in ("kind", "name", "id", "domain_id")}}
            messages.success(
                request, _("%(asked)s is the %(kind)s %(name)s (%(id)s) of the domain %(domain_id)s.") % shown
            )
        return found


class WhoisView(OperatorForm):
    """The form; what is found is said on the contract's page."""

    form_class = WhoisForm
    rule = "contract:whois"
    modal_header = page_title = submit_label = _("Who Is It")
    help_line = _(
        "Only this cloud can tell which of its users or projects a pseudonym of this contract stands for. "
        "Question, reason and your name are written to the control plane's log."
    )

    def get_initial(self) -> dict[str, Any]:
        """The contract."""
        return {"contract": self.kwargs["contract_id"]}

    def get_success_url(self) -> str:
        """Back to the contract."""
        return reverse("horizon:federation:contracts:detail", args=(self.kwargs["contract_id"],))

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """With the way back."""
        self.cancel_url = self.get_success_url()
        return super().get_context_data(**given)
