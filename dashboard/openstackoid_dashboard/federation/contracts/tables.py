"""The table of contracts."""

from django.utils.translation import gettext_lazy as _
from horizon import tables


class ContractsTable(tables.DataTable):
    """One row a contract."""

    region_name = tables.Column(
        "region_name", verbose_name=_("Region Name"), link="horizon:federation:contracts:detail"
    )
    peer = tables.Column("peer", verbose_name=_("Other Cloud"))
    side = tables.Column("side", verbose_name=_("This Cloud Is"))
    state = tables.Column("state", verbose_name=_("State"))
    id = tables.Column("id", verbose_name=_("ID"))

    class Meta:
        name = "contracts"
        verbose_name = _("Contracts")
        hidden_title = True
