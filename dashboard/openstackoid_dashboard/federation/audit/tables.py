"""The table of requests."""

from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from horizon import tables


def who(line: Any) -> str:
    """The user, and the cloud that knows the user."""
    return " @ ".join(str(part) for part in (line.user, line.home) if part)


def where(line: Any) -> str:
    """The cloud that served the request, or those of a request to several."""
    legs = line.legs if isinstance(line.legs, list) else []
    several = [str(leg.get("peer")) for leg in legs if isinstance(leg, dict)]
    return ", ".join(several) if several else str((line.peer if line.decision == "remote" else line.cloud) or "")


def did(line: Any) -> str:
    """Method, service and path."""
    return " ".join(str(part) for part in (line.method, line.service, line.path) if part)


def outcome(line: Any) -> str:
    """Why it was refused or failed."""
    return str(_("damaged line") if line.damaged else line.error or "")


def all_of_it(line: Any) -> str | None:
    """The page of all requests with the same global id: those of a chain."""
    if not line.global_request_id:
        return None
    query = {"request": line.global_request_id, "everything": "on"}
    return f"{reverse('horizon:federation:audit:index')}?{urlencode(query)}"


class AuditTable(tables.DataTable):
    """One row a request, the newest first."""

    time = tables.Column("time", verbose_name=_("Time"))
    direction = tables.Column("direction", verbose_name=_("Direction"))
    who = tables.Column(who, verbose_name=_("User"))
    project = tables.Column("project", verbose_name=_("Project"))
    where = tables.Column(where, verbose_name=_("Served By"))
    did = tables.Column(did, verbose_name=_("Request"))
    status = tables.Column("status", verbose_name=_("Status"))
    error = tables.Column(outcome, verbose_name=_("Error"))
    request = tables.Column(
        "global_request_id",
        verbose_name=_("Global Request ID"),
        link=all_of_it,
        attrs={"style": "word-break: break-all"},
    )

    class Meta:
        name = "audit"
        verbose_name = _("Requests")
        hidden_title = True
        multi_select = False
