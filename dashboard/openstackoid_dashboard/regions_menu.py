"""The region menu of an aggregator's users: its virtual regions, and not the region in which there is nothing but its own control plane.

Horizon takes a region for each endpoint that is not identity's (openstack_auth/user.py, `available_services_regions`), and begins in the first
of them. In the aggregator's own region a user would see pages that refuse everything. So a control plane that is alone in its region is taken
out of the catalog that Horizon's pages see, unless it is all that there is; `control_plane.url` still finds it.

A region that does not answer is named above the page. What failed is said by Horizon itself, which does not say where.
"""

from typing import Any

from django.contrib import messages
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from horizon import exceptions
from horizon.utils import http as http_utils
from openstack_auth.utils import get_endpoint_region

from openstackoid_dashboard import control_plane, reachable

_UNAVAILABLE = 503


class RegionsMiddleware:
    """Adapts the catalog of the user of a request, and adds notices about the region that a page shows."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        """Handle a request."""
        if getattr(request, "session", None) is not None and "token" in request.session and is_in(request.user):
            adapt(request)
        return self.get_response(request)

    def process_template_response(self, request: Any, response: Any) -> Any:
        """Name the region of a whole page if it does not answer."""
        reason = why_not(request)
        if reason:
            said = {"region": request.user.services_region, "reason": reason}
            messages.warning(request, _("The region %(region)s cannot be used now: %(reason)s") % said)
        return response

    def process_exception(self, request: Any, exception: Exception) -> Any:
        """Show a page with the menu of regions where Horizon's own cannot do without the region: some of its pages catch no error of a service."""
        reason = why_not(request) if isinstance(exception, exceptions.RECOVERABLE) else None
        if not reason:
            return None
        context = {"page_title": _("This region cannot be used now"), "reason": reason}
        return TemplateResponse(request, "federation/unreachable.html", context, status=_UNAVAILABLE)


def why_not(request: Any) -> str | None:
    """Say why the region of a whole page cannot be used; nothing if it can, or for a part of a page."""
    user = getattr(request, "user", None)
    if not is_in(user) or http_utils.is_ajax(request) or "token" not in request.session:
        return None
    endpoints = in_region(user)
    return reachable.reason(endpoints, user.token.id) if endpoints else None


def is_in(user: Any) -> bool:
    """Whether somebody is logged in."""
    return bool(user is not None and user.is_authenticated and getattr(user, "service_catalog", None))


def adapt(request: Any) -> None:
    """Hide a control plane that is alone in its region, and leave a region that is no more."""
    user = request.user
    regions = {
        get_endpoint_region(endpoint)
        for service in user.service_catalog
        if service.get("type") not in ("identity", control_plane.TYPE)
        for endpoint in service.get("endpoints", [])
    }
    regions.discard(None)
    if not regions:
        return
    shown, hidden = [], []
    for service in user.service_catalog:
        if service.get("type") != control_plane.TYPE:
            shown.append(service)
            continue
        parts = {True: [], False: []}
        for endpoint in service.get("endpoints", []):
            parts[get_endpoint_region(endpoint) in regions].append(endpoint)
        shown += [{**service, "endpoints": parts[True]}] if parts[True] else []
        hidden += [{**service, "endpoints": parts[False]}] if parts[False] else []
    user.service_catalog = shown
    setattr(user, control_plane.HIDDEN, hidden)
    if user.services_region not in regions:
        user.services_region = request.session["services_region"] = min(regions)


def in_region(user: Any) -> dict[str, str]:
    """Public endpoints of the region that the user has chosen, without identity, which is the cloud's own."""
    return {
        service["type"]: endpoint["url"]
        for service in user.service_catalog
        if service.get("type") not in (None, "identity", control_plane.TYPE)
        for endpoint in service.get("endpoints", [])
        if endpoint.get("interface") == "public" and get_endpoint_region(endpoint) == user.services_region
    }
