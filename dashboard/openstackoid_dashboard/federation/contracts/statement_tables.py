"""The table of a contract's statements of use, and what is done with them."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from horizon import tables


def totals(statement: Any) -> str:
    """The sums, each with its currency."""
    return "; ".join(f"{amount} {currency}" for currency, amount in statement.totals.items())


def url(name: str, statement: Any, *more: str) -> str:
    """The page of a statement."""
    return reverse(f"horizon:federation:contracts:{name}", args=(statement.contract, statement.number, *more))


class Sign(tables.LinkAction):
    """Sign a statement of what was used."""

    name = "sign"
    verbose_name = _("Sign Statement")
    classes = ("ajax-modal",)
    icon = "pencil"
    policy_rules = (("virtual-region", "contract:statement"),)

    def get_link_url(self, _statement: Any = None) -> str:
        """The form."""
        return reverse("horizon:federation:contracts:sign", args=(self.table.kwargs["contract_id"],))

    def allowed(self, request: Any, _statement: Any = None) -> bool:
        """For the provider."""
        return getattr(request, "side", "") == "provider"


class _Answer(tables.LinkAction):
    classes = ("ajax-modal",)
    policy_rules = (("virtual-region", "contract:statement"),)

    def get_link_url(self, statement: Any) -> str:
        """The form."""
        return url("answer", statement, self.name)

    def allowed(self, request: Any, statement: Any = None) -> bool:
        """For the consumer, once."""
        return getattr(request, "side", "") == "consumer" and (statement is None or not statement.answer)


class Accept(_Answer):
    """Sign that it is right."""

    name = "accept"
    verbose_name = _("Accept")


class Refuse(_Answer):
    """Sign that it is not."""

    name = "refuse"
    verbose_name = _("Refuse")


class StatementsTable(tables.DataTable):
    """One row a statement."""

    number = tables.Column("number", verbose_name=_("Number"), link=lambda statement: url("statement", statement))
    begin = tables.Column("begin", verbose_name=_("From"))
    until = tables.Column("until", verbose_name=_("Until"))
    totals = tables.Column(totals, verbose_name=_("Totals"))
    answer = tables.Column("answer", verbose_name=_("Answer"))
    reason = tables.Column("reason", verbose_name=_("Reason"))
    time = tables.Column("time", verbose_name=_("Signed At"))

    class Meta:
        name = "statements"
        verbose_name = _("Statements")
        hidden_title = True
        multi_select = False
        table_actions = (Sign,)
        row_actions = (Accept, Refuse)
