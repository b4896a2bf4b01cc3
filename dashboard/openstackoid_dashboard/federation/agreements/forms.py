"""The forms: a new peer, what a peer may do here, and another key of a peer."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from horizon import forms, messages

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.tolerant import submit

FINGERPRINT = "^[A-Za-z0-9_-]{43}$"
# Place of a value in what is sent -> field of the form.
PLACES = {
    "url": "url",
    "fingerprint": "fingerprint",
    **{f"grant.{name}": name for name in ("services", "rules", "roles", "admin_roles", "projects", "home")},
    **{f"grant.{name}": name for name in ("most_projects", "rate", "pseudonyms", "project_pseudonyms")},
    "grant": "services",
}
DEFAULTS: dict[str, Any] = {
    "roles": {"member": "member", "reader": "reader"},
    "projects": "each:default",
    "most_projects": 1000,
    "home": [
        {"method": method, "service": "image", "path": path}
        for method in ("GET", "HEAD")
        for path in ("/v2/images", "/v2/images/**", "/v2/schemas/**")
    ],
}
# Services of which nothing is shared.
NOT_SHARED = frozenset({"identity", "virtual-region"})


def lines(text: str) -> list[str]:
    """The lines of a text that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def rules(text: str) -> list[dict[str, str]]:
    """Rules, one a line: METHOD SERVICE PATH.

    Raises:
        ValidationError: a line is none.
    """
    found = []
    for number, line in enumerate(lines(text), 1):
        parts = line.split()
        if len(parts) != len(("method", "service", "path")):
            raise ValidationError(
                _("Line %(number)s: expected METHOD SERVICE PATH, such as GET image /v2/images/**, got %(line)r.")
                % {"number": number, "line": line[:80]}
            )
        found.append({"method": parts[0], "service": parts[1], "path": parts[2]})
    return found


def written(given: list[dict[str, str]]) -> str:
    """Rules as lines."""
    return "\n".join(f"{rule['method']} {rule['service']} {rule['path']}" for rule in given)


class GrantForm(forms.SelfHandlingForm):
    """What a peer may do here; the gateway decides whether it is valid."""

    services = forms.MultipleChoiceField(
        label=_("Services of which everything is allowed"), required=False, widget=forms.CheckboxSelectMultiple()
    )
    rules = forms.CharField(
        label=_("Rules, one a line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "GET image /v2/images/**"}),
    )
    roles = forms.CharField(
        label=_("Roles, one a line: theirs=ours"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    admin_roles = forms.CharField(
        label=_("Word for powerful roles"),
        required=False,
        max_length=64,
        help_text=_("Needed for a role with power over everything; the refusal tells it."),
    )
    projects = forms.CharField(
        label=_("Projects"), max_length=80, help_text=_("each:DOMAIN_ID, one:PROJECT_ID, or same.")
    )
    most_projects = forms.IntegerField(label=_("Most projects made on demand"), min_value=1, max_value=1_000_000)
    rate = forms.FloatField(label=_("Requests a second (empty: no limit)"), required=False, min_value=0)
    home = forms.CharField(
        label=_("What their services may ask of ours for our users, one rule a line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    pseudonyms = forms.BooleanField(label=_("They get pseudonyms of our users"), required=False)
    project_pseudonyms = forms.BooleanField(label=_("They get pseudonyms of our projects"), required=False)

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        grant = {**DEFAULTS, **(self.initial.get("grant") or {})}
        kinds = {service["type"] for service in request.user.service_catalog} - NOT_SHARED
        kinds |= set(grant.get("services", ()))
        self.fields["services"].choices = [(kind, kind) for kind in sorted(kinds)]
        given = {
            **{name: grant.get(name) for name in ("services", "projects", "most_projects", "rate", "admin_roles")},
            **{name: grant.get(name, False) for name in ("pseudonyms", "project_pseudonyms")},
            **{name: written(grant.get(name, [])) for name in ("rules", "home")},
            "roles": "\n".join(f"{theirs}={ours}" for theirs, ours in grant["roles"].items()),
        }
        for name, value in given.items():
            self.fields[name].initial = value

    def clean_rules(self) -> list[dict[str, str]]:
        """Rules."""
        return rules(self.cleaned_data["rules"])

    def clean_home(self) -> list[dict[str, str]]:
        """Rules."""
        return rules(self.cleaned_data["home"])

    def clean_roles(self) -> dict[str, str]:
        """Their roles -> ours."""
        found = {}
        for line in lines(self.cleaned_data["roles"]):
            theirs, equals, ours = line.partition("=")
            if not theirs or (equals and not ours):
                raise ValidationError(_("Expected THEIRS or THEIRS=OURS, got %r.") % line[:80])
            found[theirs] = ours or theirs
        return found

    def grant(self, data: dict[str, Any]) -> dict[str, Any]:
        """What is sent."""
        names = ("services", "rules", "roles", "projects", "most_projects", "rate", "home")
        flags = ("pseudonyms", "project_pseudonyms")
        return {name: data[name] for name in (*names, *flags)} | {"admin_roles": data["admin_roles"] or None}

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Say yes, or change what is allowed."""
        name = self.initial["name"]
        body = {"event": "allow", "grant": self.grant(data)}
        made = submit(self, lambda: api.operate(request, "POST", "agreements", {"name": name}, body), PLACES)
        if made:
            messages.success(request, _("%s is allowed. Gateways take it within a second.") % name)
        return made


class AddForm(GrantForm):
    """A new peer: its operator tells URL and fingerprint, and not over the connection that they are for."""

    url = forms.CharField(label=_("URL where its gateway meets peers"), max_length=255)
    fingerprint = forms.RegexField(
        FINGERPRINT,
        label=_("Fingerprint of its key"),
        help_text=_("43 characters, as openstackoid key show prints them there."),
        error_messages={"invalid": _("Expected 43 letters, digits, - and _.")},
    )
    allow = forms.BooleanField(label=_("Say yes at once"), required=False)
    field_order = ("url", "fingerprint", "allow")

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Add it; the gateway compares the fingerprint with the key that the peer publishes."""
        body = {"grant": self.grant(data), **{name: data[name] for name in ("url", "fingerprint", "allow")}}
        made = submit(self, lambda: api.operate(request, "POST", "agreements", body=body), PLACES)
        if made:
            messages.success(request, _("Added %s.") % made["agreement"]["name"])
        return made


class TrustForm(forms.SelfHandlingForm):
    """Another key of a peer, after its old one was compromised."""

    fingerprint = forms.RegexField(
        FINGERPRINT,
        label=_("Fingerprint of its new key"),
        error_messages={"invalid": _("Expected 43 letters, digits, - and _.")},
    )

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Pin it."""
        name, body = self.initial["name"], {"event": "trust", "fingerprint": data["fingerprint"]}
        made = submit(self, lambda: api.operate(request, "POST", "agreements", {"name": name}, body), PLACES)
        if made:
            messages.success(request, _("%s is trusted by this key from now on, by no other.") % name)
        return made
