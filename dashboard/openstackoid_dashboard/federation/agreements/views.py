"""The pages of peers and agreements."""

import json
from types import SimpleNamespace
from typing import Any

from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _
from horizon import exceptions, tables, views

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.agreements.forms import AddForm, GrantForm, TrustForm
from openstackoid_dashboard.federation.agreements.tables import AgreementsTable
from openstackoid_dashboard.federation.operating import OperatorForm
from openstackoid_dashboard.federation.tolerant import attempt

INDEX = reverse_lazy("horizon:federation:agreements:index")


def one(request: Any, name: str) -> dict[str, Any]:
    """Find an agreement; without it, lead back to the list."""
    found = attempt(request, lambda: api.operate(request, "GET", "agreements", {"name": name}), None)
    if found is None:
        raise exceptions.Http302(reverse("horizon:federation:agreements:index"))
    return dict(found["agreement"])


def offered(grant: dict[str, Any] | None) -> str:
    """The services that a grant is about."""
    if grant is None:
        return str(_("everything, with its users' own tokens"))
    return ", ".join(sorted({*grant["services"], *(rule["service"] for rule in grant["rules"])}))


class IndexView(tables.DataTableView):
    """Peers of the database and of the configuration file."""

    table_class = AgreementsTable
    page_title = _("Peers and Agreements")

    def get_data(self) -> list[Any]:
        """Ask the gateway."""
        listed = attempt(self.request, lambda: api.operate(self.request, "GET", "agreements"), {"agreements": []})
        seen = {peer.name: vars(peer) for peer in attempt(self.request, lambda: api.peers(self.request), [])}
        return [
            SimpleNamespace(
                **{name: entry[name] for name in ("name", "state", "token", "url")},
                id=entry["name"],
                source=entry["from"],
                offered=offered(entry["grant"]),
                seen=seen.get(entry["name"], {}),
            )
            for entry in listed["agreements"]
        ]


class DetailView(views.HorizonTemplateView):
    """An agreement: both sides, what the peer may do here, its projects, and who changed it when."""

    template_name = "federation/agreement.html"
    page_title = "{{ agreement.name }}"

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """Ask the gateway."""
        agreement = one(self.request, given["name"])
        peers = attempt(self.request, lambda: api.peers(self.request), [])
        seen = next((vars(peer) for peer in peers if peer.name == agreement["name"]), {})
        grant = [
            (name, json.dumps(value) if isinstance(value, (dict, list)) else value)
            for name, value in (agreement["grant"] or {}).items()
        ]
        history = [event | {"detail": json.dumps(event["detail"])} for event in agreement["history"]]
        shown = {"agreement": agreement, "seen": seen, "grant": grant, "events": history}
        return {**super().get_context_data(**given), **shown}


class AddView(OperatorForm):
    """A new peer."""

    form_class = AddForm
    rule = "agreement:create"
    success_url = INDEX
    modal_header = page_title = submit_label = _("Add Peer")
    help_line = _(
        "Its operator tells you URL and fingerprint, by another way than the one that they are for. "
        "This cloud's gateway compares the fingerprint with the key that is published at the URL, and nothing is kept if they differ. "
        "The other operator does the same for this cloud."
    )


class _ChangeView(OperatorForm):
    rule = "agreement:update"
    success_url = INDEX

    def get_initial(self) -> dict[str, Any]:
        """The agreement."""
        agreement = one(self.request, self.kwargs["name"])
        return {"name": agreement["name"], "grant": agreement["grant"]}


class AllowView(_ChangeView):
    """Say yes, or change what is allowed."""

    form_class = GrantForm
    modal_header = page_title = submit_label = _("Allow")
    help_line = _(
        "What is said here replaces what was allowed before. No request passes before both sides have allowed it."
    )


class TrustView(_ChangeView):
    """Another key."""

    form_class = TrustForm
    modal_header = page_title = submit_label = _("Trust Another Key")
    help_line = _("After the old one was compromised. The keys that the peer published before count no more.")
