"""Panels and forms of operators."""

from typing import Any

import horizon
from django.utils.translation import gettext_lazy as _
from horizon import exceptions, forms
from openstack_dashboard import policy

from openstackoid_dashboard import control_plane


class OperatorPanel(horizon.Panel):
    """A panel for those whom `policy_rules` name, where the catalog has a control plane, in whatever region."""

    def allowed(self, context: Any) -> bool:
        """Whether the user gets it."""
        return control_plane.url(context["request"].user) is not None and super().allowed(context)


class OperatorForm(forms.ModalFormView):
    """A form for those whom a policy names; the control plane decides again.

    Attributes:
        rule: name of the policy.
        help_line: what the form does.
    """

    template_name = "federation/form.html"
    rule: str
    help_line: Any

    def dispatch(self, request: Any, *arguments: Any, **more: Any) -> Any:
        """Refuse others."""
        if not policy.check((("virtual-region", self.rule),), request):
            raise exceptions.NotAuthorized(_("The policy %s does not allow this to you.") % self.rule)
        return super().dispatch(request, *arguments, **more)

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """Where it is sent, and what it does."""
        self.submit_url = self.request.path
        return {**super().get_context_data(**given), "help_line": self.help_line}
