"""The table of peers."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import tables


def agreement(peer: Any) -> str:
    """Both sides' states, or that the clouds have one owner."""
    found = getattr(peer, "agreement", None)
    if not found:
        return _("one owner")
    return _("here: %(ours)s, there: %(theirs)s") % {"ours": found["ours"] or "-", "theirs": found["theirs"]}


def offered(peer: Any) -> str:
    """What this cloud lets the peer's users use."""
    found = getattr(peer, "agreement", None)
    return ", ".join(found["offered_here"]) if found else ""


class PeersTable(tables.DataTable):
    """One row a peer."""

    name = tables.Column("name", verbose_name=_("Cloud"))
    state = tables.Column("state", verbose_name=_("State"))
    services = tables.Column(lambda peer: ", ".join(peer.services), verbose_name=_("Serves"))
    offered = tables.Column(offered, verbose_name=_("May use here"))
    agreement = tables.Column(agreement, verbose_name=_("Agreement"))
    labels = tables.Column(lambda peer: ", ".join(peer.labels), verbose_name=_("Labels"))
    round_trip = tables.Column("round_trip_ms", verbose_name=_("Round Trip (ms)"))
    error = tables.Column("error", verbose_name=_("Last Error"))

    class Meta:
        name = "clouds"
        verbose_name = _("Clouds")
        hidden_title = True
