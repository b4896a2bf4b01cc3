"""The form by which an operator declares what no service tells of a region: fields for what most say, and YAML for all of it."""

import json
from typing import Any

import yaml
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from horizon import forms, messages

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.tolerant import submit

LARGEST = 256 << 10  # bytes of a file
# Field of the form -> place of its value.
PLACES = {
    "country": ("location", "country"),
    "subdivision": ("location", "subdivision"),
    "city": ("location", "city"),
    "latitude": ("location", "latitude"),
    "longitude": ("location", "longitude"),
    "currency": ("price", "currency"),
    "items": ("price", "items"),
    "minimum_term_days": ("price", "minimum_term_days"),
    "availability": ("sla", "availability"),
    "notice_days": ("sla", "notice_days"),
    "support": ("sla", "support"),
}
ITEM = ("sku", "unit", "amount")


class _Loader(yaml.SafeLoader):
    """Without aliases: a few of them stand for more than fits into memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(_("no aliases (*name)"))
        return super().compose_node(parent, index)


def parsed(text: str) -> dict[str, Any]:
    """An object in YAML or JSON, as JSON has it.

    Raises:
        ValidationError: it is none; says where.
    """
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, and less
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = _("line %s: ") % (mark.line + 1) if mark else ""
        raise ValidationError(f"{where}{getattr(error, 'problem', None) or error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValidationError(_("Expected groups such as location and price."))
    try:
        # Times without quotes are dates to YAML.
        dated: dict[str, Any] = json.loads(json.dumps(found, default=_dated, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValidationError(str(error)) from None
    return dated


def _dated(value: Any) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else str(value)


def declared(metadata: dict[str, Any]) -> dict[str, Any]:
    """The plain values of a region's metadata that an operator has declared."""
    found: dict[str, Any] = {}
    for group, fields in metadata.items():
        if "source" in fields:
            if fields["source"] == "declared":
                found[group] = fields["value"]
            continue
        values = {name: entry["value"] for name, entry in fields.items() if entry["source"] == "declared"}
        if values:
            found[group] = values
    return found


class DeclareForm(forms.SelfHandlingForm):
    """What is empty is not changed. What the fields say counts more than the file, and the file more than the text."""

    country = forms.CharField(label=_("Country (ISO 3166-1)"), required=False, max_length=2)
    subdivision = forms.CharField(label=_("Subdivision (ISO 3166-2)"), required=False, max_length=6)
    city = forms.CharField(label=_("City"), required=False, max_length=255)
    latitude = forms.FloatField(label=_("Latitude"), required=False)
    longitude = forms.FloatField(label=_("Longitude"), required=False)
    currency = forms.CharField(label=_("Currency (ISO 4217)"), required=False, max_length=3)
    items = forms.CharField(
        label=_("Prices, one a line: SKU UNIT AMOUNT"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": "m1.small hour 0.012"}),
    )
    minimum_term_days = forms.IntegerField(label=_("Minimum term in days"), required=False, min_value=0)
    availability = forms.FloatField(label=_("Availability in percent"), required=False)
    notice_days = forms.IntegerField(label=_("Notice in days"), required=False, min_value=0)
    support = forms.CharField(label=_("Support"), required=False, max_length=255)
    upload = forms.FileField(label=_("YAML file"), required=False)
    document = forms.CharField(
        label=_("All of it in YAML"), required=False, max_length=LARGEST, widget=forms.Textarea(attrs={"rows": 12})
    )

    def __init__(self, request: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(request, *arguments, **more)
        known = declared(self.initial["region"]["metadata"])
        for name, (group, field) in PLACES.items():
            value = known.get(group, {}).get(field)
            if name == "items" and value:
                value = "\n".join(" ".join(str(item[part]) for part in ITEM) for item in value)
            self.fields[name].initial = value
        shown = {group: dict(values) if isinstance(values, dict) else values for group, values in known.items()}
        for group, field in PLACES.values():
            if isinstance(shown.get(group), dict):
                shown[group].pop(field, None)
        rest = {group: values for group, values in shown.items() if values not in ({}, [])}
        self.fields["document"].initial = yaml.safe_dump(rest, allow_unicode=True, sort_keys=False) if rest else ""

    def clean_items(self) -> list[dict[str, str]]:
        """Prices."""
        found = []
        for number, line in enumerate(self.cleaned_data["items"].splitlines(), 1):
            parts = line.rsplit(maxsplit=2)
            if parts and len(parts) != len(ITEM):
                raise ValidationError(
                    _("Line %(number)s: expected SKU UNIT AMOUNT, got %(line)r.")
                    % {"number": number, "line": line[:80]}
                )
            if parts:
                found.append(dict(zip(ITEM, parts, strict=True)))
        return found

    def clean_document(self) -> dict[str, Any]:
        """An object."""
        return parsed(self.cleaned_data["document"])

    def clean_upload(self) -> dict[str, Any]:
        """An object."""
        file = self.cleaned_data["upload"]
        if file is None:
            return {}
        if file.size > LARGEST:
            raise ValidationError(_("Expected %s KiB at most.") % (LARGEST >> 10))
        try:
            return parsed(file.read().decode())
        except UnicodeDecodeError:
            raise ValidationError(_("Expected UTF-8.")) from None

    def handle(self, request: Any, data: dict[str, Any]) -> Any:
        """Declare it; the control plane says which value is wrong, and where."""
        values: dict[str, Any] = {}
        for given in (data["document"], data["upload"]):
            for group, content in given.items():
                both = isinstance(content, dict) and isinstance(values.get(group), dict)
                values[group] = {**values[group], **content} if both else content
        for name, (group, field) in PLACES.items():
            if data[name] not in (None, "", []):
                fields = values.setdefault(group, {})
                if isinstance(fields, dict):
                    fields[field] = data[name]
        if not values:
            self.add_error(None, _("Nothing is filled in."))
            return None
        region = self.initial["region"]
        path, body = ("virtual-regions", region["id"], "metadata"), {"source": "declared", "values": values}
        field_of = dict.fromkeys(values, "upload" if data["upload"] else "document")
        field_of |= {
            f"{group}.{field}": name for name, (group, field) in PLACES.items() if data[name] not in (None, "", [])
        }
        made = submit(self, lambda: api.ask(request, "POST", *path, body=body), field_of, "$.")
        if made:
            messages.success(request, _("Declared metadata of %s.") % made["name"])
        return made
