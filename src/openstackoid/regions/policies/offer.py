"""Who may look at what providers offer."""

from typing import Any, Final

from openstackoid.policies import READER

RULES: Final[tuple[tuple[Any, ...], ...]] = (
    (
        "offer:list",
        READER,
        "List a provider's offers.",
        [{"method": "GET", "path": path} for path in ("/v1/offers", "/v1/offers/compare")],
    ),
)
