"""The form of a question; sent by GET, since it changes nothing."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import forms

from openstackoid_dashboard.federation.offers.forms import text_input

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


class QuestionForm(forms.Form):
    """A request that could be made."""

    service = forms.RegexField("^[a-z0-9-]{1,64}$", label=_("Service"), widget=text_input("compute"))
    region = forms.ChoiceField(label=_("Region"), required=False)
    scope = forms.CharField(
        label=_("or scope"), required=False, max_length=1024, widget=text_input('{"image": "CloudTwo"}')
    )
    method = forms.ChoiceField(label=_("Method"), choices=[(name, name) for name in METHODS])
    path = forms.RegexField(r"^/[!-~]{0,512}$", label=_("Path"), initial="/", widget=text_input("/servers"))

    def __init__(self, regions: list[str], *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.fields["region"].choices = [("", "-"), *((region, region) for region in regions)]
        for name in ("region", "method"):
            self.fields[name].widget.attrs["class"] = "form-control"
