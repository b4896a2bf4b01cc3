"""Who may see contracts, request them and cause their events."""

from typing import Any, Final

from openstackoid.policies import MANAGER, READER

_ALL: Final = "/v1/contracts"
_ONE: Final = "/v1/contracts/{contract}"
RULES: Final[tuple[tuple[Any, ...], ...]] = (
    ("contract:list", READER, "List contracts.", [{"method": "GET", "path": _ALL}]),
    ("contract:show", READER, "Show a contract.", [{"method": "GET", "path": _ONE}]),
    ("contract:resources", READER, "List what its projects have.", [{"method": "GET", "path": f"{_ONE}/resources"}]),
    ("contract:whois", MANAGER, "Resolve a pseudonym.", [{"method": "POST", "path": f"{_ONE}/whois"}]),
    (
        "contract:usage",
        READER,
        "Show what was used, and what is leased.",
        [{"method": "GET", "path": f"{_ONE}/{what}"} for what in ("usage", "leases")],
    ),
    ("contract:statement", MANAGER, "Sign a statement of use.", [{"method": "POST", "path": f"{_ONE}/statements"}]),
    ("contract:request", MANAGER, "Request a contract.", [{"method": "POST", "path": _ALL}]),
    ("contract:event", MANAGER, "Cause an event of a contract.", [{"method": "POST", "path": f"{_ONE}/events"}]),
)
