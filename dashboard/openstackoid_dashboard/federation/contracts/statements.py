"""The pages of statements of use: listed, signed, shown, compared with what is found now, answered, downloaded."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.generic import View
from horizon import exceptions, forms, messages, tables, views

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.contracts.statement_tables import StatementsTable
from openstackoid_dashboard.federation.operating import OperatorForm
from openstackoid_dashboard.federation.tolerant import attempt, submit

LINE = ("project", "name", "day", "sku", "unit", "quantity", "cost")
# What a spreadsheet takes for a formula, if a cell begins with it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(value: Any) -> str:
    """A value for a spreadsheet; what the other cloud wrote is no formula there."""
    text = "; ".join(f"{amount} {unit}" for unit, amount in value.items()) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def as_csv(statement: dict[str, Any]) -> str:
    """The lines of a statement, with a head."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(LINE)
    writer.writerows([cell(line.get(name, "")) for name in LINE] for line in statement["lines"])
    return written.getvalue()


def one(request: Any, contract: str, number: str) -> dict[str, Any]:
    """Find a statement; without it, lead back to the list."""
    path = ("contracts", contract, "statements", number)
    found = attempt(request, lambda: api.ask(request, "GET", *path), None)
    if found is None:
        raise exceptions.Http302(reverse("horizon:federation:contracts:statements", args=(contract,)))
    return found


class IndexView(tables.DataTableView):
    """All statements of a contract."""

    table_class = StatementsTable
    page_title = _("Statements of Use")

    def get_data(self) -> list[Any]:
        """Ask the control plane."""
        contract = self.kwargs["contract_id"]
        path = ("contracts", contract, "statements")
        answer = attempt(self.request, lambda: api.ask(self.request, "GET", *path), {"statements": []})
        of = attempt(self.request, lambda: api.ask(self.request, "GET", "contracts", contract), {"side": ""})
        self.request.side = of["side"]  # who signs, and who answers
        return [
            SimpleNamespace(id=row["number"], contract=contract, begin=row["from"], **row)
            for row in answer["statements"]
        ]


class DetailView(views.HorizonTemplateView):
    """A statement with its lines, and where it differs from what this side finds now."""

    template_name = "federation/statement.html"
    page_title = _("Statement {{ statement.number }}")

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """Ask the control plane."""
        contract, number = given["contract_id"], given["number"]
        statement = one(self.request, contract, number)
        context = {**super().get_context_data(**given), "contract": contract, "statement": statement}
        if "compare" in self.request.GET:
            path = ("contracts", contract, "statements", number, "differences")
            found = attempt(self.request, lambda: api.ask(self.request, "GET", *path), None)
            context["compared"] = found is not None
            context["differences"] = found["differences"] if found else []
        return context


class DownloadView(View):
    """A statement as a file: lines for a spreadsheet, or all of it with both signatures."""

    def get(self, request: Any, contract_id: str, number: str, form: str) -> HttpResponse:
        """The file."""
        statement = one(request, contract_id, number)
        text = as_csv(statement) if form == "csv" else json.dumps(statement, indent=2)
        kind = "text/csv; charset=utf-8" if form == "csv" else "application/json"
        response = HttpResponse(text, content_type=kind)
        response["Content-Disposition"] = f'attachment; filename="statement-{contract_id[:8]}-{number}.{form}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response


class SignForm(forms.SelfHandlingForm):
    """Which days."""

    begin = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(
        label=_("Until"), widget=forms.DateInput(attrs={"type": "date"}), help_text=_("The day after the last one.")
    )

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        this = datetime.now(UTC).date().replace(day=1)
        self.fields["begin"].initial = (this - timedelta(days=1)).replace(day=1)
        self.fields["until"].initial = this

    def clean(self) -> dict[str, Any]:
        """At least a day, none of them to come."""
        data: dict[str, Any] = super().clean()
        begin, until = data.get("begin"), data.get("until")
        if isinstance(begin, date) and isinstance(until, date) and begin >= until:
            raise ValidationError(_("Expected a day after the first one at the end."))
        return data

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Sign it."""
        body = {"from": data["begin"].isoformat(), "until": data["until"].isoformat()}
        path = ("contracts", self.initial["contract"], "statements")
        fields = {"from": "begin", "until": "until"}
        made = submit(self, lambda: api.ask(request, "POST", *path, body=body), fields, "$.")
        if made:
            messages.success(request, _("Signed statement %s. It is sent to the other side.") % made["number"])
        return made


class AnswerForm(forms.SelfHandlingForm):
    """Why."""

    reason = forms.CharField(label=_("Message to the other side"), required=False, max_length=1024)

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        self.fields["reason"].required = self.initial["answer"] == "refuse"

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Sign it."""
        given = self.initial
        body = {"accepted": given["answer"] == "accept", "reason": data["reason"]}
        path = ("contracts", given["contract"], "statements", given["number"], "answer")
        made = submit(self, lambda: api.ask(request, "POST", *path, body=body), {"reason": "reason"}, "$.")
        if made:
            messages.success(request, _("Statement %(number)s is %(answer)s.") % made)
        return made


class _StatementForm(OperatorForm):
    rule = "contract:statement"

    def get_initial(self) -> dict[str, Any]:
        """Contract, and number and answer if there are."""
        return {"contract": self.kwargs["contract_id"], **self.kwargs}

    def get_success_url(self) -> str:
        """Back to the list."""
        return reverse("horizon:federation:contracts:statements", args=(self.kwargs["contract_id"],))

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """With the way back."""
        self.cancel_url = self.get_success_url()
        return super().get_context_data(**given)


class SignView(_StatementForm):
    """Sign a statement."""

    form_class = SignForm
    modal_header = page_title = submit_label = _("Sign Statement")
    help_line = _("Of whole days that are over. A statement never changes; the same days again are the same statement.")


class AnswerView(_StatementForm):
    """Answer a statement of the provider."""

    form_class = AnswerForm
    help_line = _("Signed, and sent to the provider. It stands for the statement as it is, and never changes.")

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """Named after the answer."""
        accepts = self.kwargs["answer"] == "accept"
        self.modal_header = self.page_title = self.submit_label = _("Accept") if accepts else _("Refuse")
        return super().get_context_data(**given)
