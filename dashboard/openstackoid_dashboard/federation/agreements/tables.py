"""The table of peers, and what is done with them."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from horizon import tables

from openstackoid_dashboard import api

IN_DATABASE = "database"  # where what the panel changes stands; the file is changed by an editor


class Add(tables.LinkAction):
    """A new peer."""

    name = "add"
    verbose_name = _("Add Peer")
    url = "horizon:federation:agreements:add"
    classes = ("ajax-modal",)
    icon = "plus"
    policy_rules = (("virtual-region", "agreement:create"),)


class _OfPeer(tables.LinkAction):
    classes = ("ajax-modal",)
    policy_rules = (("virtual-region", "agreement:update"),)

    def get_link_url(self, peer: Any) -> str:
        """The form."""
        return reverse(f"horizon:federation:agreements:{self.name}", args=(peer.name,))

    def allowed(self, _request: Any, peer: Any = None) -> bool:
        """Not for those of the file."""
        return peer is None or peer.source == IN_DATABASE


class Allow(_OfPeer):
    """Say yes, or change what is allowed."""

    name = "allow"
    verbose_name = _("Allow")


class Trust(_OfPeer):
    """Pin another key."""

    name = "trust"
    verbose_name = _("Trust Another Key")


class Suspend(tables.BatchAction):
    """Take the yes back; what was agreed is kept."""

    name = "suspend"
    policy_rules = (("virtual-region", "agreement:update"),)

    @staticmethod
    def action_present(count: int) -> str:
        """Name."""
        return ngettext_lazy("Suspend", "Suspend", count)

    @staticmethod
    def action_past(count: int) -> str:
        """Name, when it is done."""
        return ngettext_lazy("Suspended", "Suspended", count)

    def allowed(self, _request: Any, peer: Any = None) -> bool:
        """As the states have it."""
        return peer is None or (peer.source == IN_DATABASE and peer.state == "active")

    def action(self, request: Any, obj_id: str) -> None:
        """Suspend one."""
        api.operate(request, "POST", "agreements", {"name": obj_id}, {"event": "suspend"})


class Remove(tables.DeleteAction):
    """End an agreement, and forget the peer's keys and which projects stood for its own."""

    name = "remove"
    policy_rules = (("virtual-region", "agreement:delete"),)

    @staticmethod
    def action_present(count: int) -> str:
        """Name."""
        return ngettext_lazy("Remove Peer", "Remove Peers", count)

    @staticmethod
    def action_past(count: int) -> str:
        """Name, when it is done."""
        return ngettext_lazy("Removed Peer", "Removed Peers", count)

    def allowed(self, _request: Any, peer: Any = None) -> bool:
        """Not for those of the file."""
        return peer is None or peer.source == IN_DATABASE

    def delete(self, request: Any, obj_id: str) -> None:
        """Remove one."""
        api.operate(request, "DELETE", "agreements", {"name": obj_id})


def theirs(peer: Any) -> str:
    """The other side's state, as this cloud's gateway knows it."""
    return str((peer.seen.get("agreement") or {}).get("theirs", ""))


class AgreementsTable(tables.DataTable):
    """One row a peer."""

    name = tables.Column("name", verbose_name=_("Cloud"), link="horizon:federation:agreements:detail")
    state = tables.Column("state", verbose_name=_("Our Side"))
    theirs = tables.Column(theirs, verbose_name=_("Their Side"))
    token = tables.Column("token", verbose_name=_("Tokens"))
    source = tables.Column("source", verbose_name=_("Stands In"))
    offered = tables.Column("offered", verbose_name=_("May Use Here"))
    url = tables.Column("url", verbose_name=_("URL"))
    reachable = tables.Column(lambda peer: peer.seen.get("state", ""), verbose_name=_("Gateway"))

    class Meta:
        name = "agreements"
        verbose_name = _("Peers and Agreements")
        hidden_title = True
        multi_select = False
        table_actions = (Add,)
        row_actions = (Allow, Suspend, Trust, Remove)
