"""Views that show what there is, and say what could not be had."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from horizon import messages

from openstackoid_dashboard.errors import FederationError

T = TypeVar("T")
INNERMOST = re.compile(r"(?:[.][^.\[]+|\[[0-9]+\])$")  # the last step of a place
WHOLE = None  # errors of a form that are of no field


def attempt(request: Any, do: Callable[[], T], otherwise: T) -> T:
    """Do something; a refusal becomes a message on the page."""
    try:
        return do()
    except FederationError as error:
        messages.error(request, str(error))
        return otherwise


def submit(form: Any, do: Callable[[], T], fields: dict[str, str], prefix: str = "") -> T | None:
    """Do what a form asks for. A refusal is shown at the field that it names, or above the form; what was typed stays.

    Args:
        form: of Django.
        do: sends it.
        fields: place of a value in what is sent -> field of the form; a fault further inside is shown at the same field.
        prefix: of the places in refusals.
    """
    try:
        return do()
    except FederationError as error:
        place, colon, reason = error.reason.partition(": ")
        named = place.removeprefix(prefix) if colon and place.startswith(prefix) else ""
        while named and named not in fields:
            outer = INNERMOST.sub("", named)
            named = outer if outer != named else ""
        if named:
            form.add_error(fields[named], f"{place}: {reason}")
        else:
            form.add_error(WHOLE, str(error))
        return None
