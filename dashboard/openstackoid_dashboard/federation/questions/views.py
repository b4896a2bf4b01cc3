"""The page that explains requests."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import views

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.questions.forms import QuestionForm
from openstackoid_dashboard.federation.tolerant import attempt


class IndexView(views.HorizonTemplateView):
    """A question to this cloud's gateway, and its answer; no request is sent anywhere else."""

    template_name = "federation/questions.html"
    page_title = _("Why a Request Goes Where It Goes")

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """With the answer, once the form is filled in."""
        form = QuestionForm(self.request.user.available_services_regions, self.request.GET or None)
        answer = None
        if form.is_bound and form.is_valid():
            answer = attempt(self.request, lambda: api.explain(self.request, **form.cleaned_data), None)
        return {**super().get_context_data(**given), "form": form, "answer": answer}
