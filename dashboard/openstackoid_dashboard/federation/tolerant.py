"""Views that show what there is, and say what could not be had."""

from collections.abc import Callable
from typing import Any, TypeVar

from horizon import messages

from openstackoid_dashboard.errors import FederationError

T = TypeVar("T")


def attempt(request: Any, do: Callable[[], T], otherwise: T) -> T:
    """Do something; a refusal becomes a message on the page."""
    try:
        return do()
    except FederationError as error:
        messages.error(request, str(error))
        return otherwise
