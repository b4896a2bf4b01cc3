"""Which days, and what is summed; sent by GET, since it changes nothing."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from horizon import forms

MOST_DAYS = 366


class PeriodForm(forms.Form):
    """A period of days."""

    begin = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"class": "form-control", "type": "date"}))
    until = forms.DateField(label=_("Until"), widget=forms.DateInput(attrs={"class": "form-control", "type": "date"}))
    measure = forms.CharField(label=_("Currency or unit"), required=False, max_length=64)

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.fields["measure"].widget = forms.TextInput(attrs={"class": "form-control"})

    def clean(self) -> dict[str, Any]:
        """Not too many days."""
        data: dict[str, Any] = super().clean()
        if "begin" in data and "until" in data and not 0 < (data["until"] - data["begin"]).days <= MOST_DAYS:
            raise ValidationError(
                _("Expected 1 to %s days, the second date being the day after the last one.") % MOST_DAYS
            )
        return data
