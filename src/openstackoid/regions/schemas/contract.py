"""Terms of a contract, what operators do with it, and what they see of it."""

from typing import Final

from openstackoid.regions.objects.states import ContractEvent, ContractState, Side
from openstackoid.regions.objects.terms import MOST_GRACE, OnDelete, TokenMode
from openstackoid.regions.objects.work import MOST_LEFT, Stage, WorkKind
from openstackoid.regions.schemas.common import (
    COUNT,
    DIALECT,
    ID,
    NAME,
    NUMBER,
    OWNERS,
    PRICE,
    QUOTA,
    REASON,
    RULES,
    SERVICES,
    TIME,
    Schema,
    closed,
    listed,
)

_YES: Final[Schema] = {"type": "boolean"}
TERMS: Final[Schema] = closed(
    {
        "virtual_region": ID,
        "version": NUMBER,
        "region_name": NAME,
        "services": SERVICES,
        "rules": RULES,
        "quota": QUOTA,
        "price": PRICE,
        "from": TIME,
        "until": {"anyOf": [{"type": "null"}, TIME]},
        "answer_by": TIME,
        "grace_days": {"type": "integer", "minimum": 0, "maximum": MOST_GRACE},
        "clean_up": _YES,
        "anonymous": _YES,
        "on_delete": {"enum": [choice.value for choice in OnDelete]},
        "token": {"enum": [mode.value for mode in TokenMode]},
        "owners": OWNERS,
    },
    "virtual_region",
    "version",
    "region_name",
    "services",
    "from",
    "answer_by",
)
REQUEST: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"provider": NAME, "terms": TERMS, "reason": REASON}, "provider", "terms"),
}
_CAUSED: Final = [event.value for event in ContractEvent if event is not ContractEvent.REQUEST]
# `terms` with counter; with accept those that the operator has seen, so that no others are accepted by mistake.
ACTION: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"event": {"enum": _CAUSED}, "terms": TERMS, "reason": REASON}, "event"),
}
_STEP: Final[Schema] = closed(
    {
        "side": {"enum": [side.value for side in Side]},
        "number": NUMBER,
        "event": {"enum": [event.value for event in ContractEvent]},
        "time": TIME,
        "state": {"anyOf": [{"type": "null"}, {"enum": [state.value for state in ContractState]}]},
        "void": {"anyOf": [{"type": "null"}, REASON]},
        "reason": REASON,
    },
    "*",
)
MOST_SHOWN: Final = 100  # pieces of work
_ID_HERE: Final[Schema] = {"type": "string", "maxLength": 64}
_ANY_TEXT: Final[Schema] = {"type": "string", "maxLength": 255}
_LEFT: Final[Schema] = dict.fromkeys(("service", "kind", "id", "name", "reason"), _ANY_TEXT)
_WORK: Final[Schema] = closed(
    {
        "kind": {"enum": [kind.value for kind in WorkKind]},
        "project": _ID_HERE,
        "local_project": _ID_HERE,
        "stage": {"enum": [stage.value for stage in Stage]},
        "removed": COUNT,
        "left": listed(closed(_LEFT, "*"), MOST_LEFT),
        "error": REASON,
        "attempts": COUNT,
    },
    "*",
)
_CLEAN_UP: Final[Schema] = closed(
    {
        "done": _YES,
        "ended": _YES,
        "projects": COUNT,
        "projects_done": COUNT,
        "resources_removed": COUNT,
        "left": listed(closed({**_LEFT, "project": _ID_HERE}, "*"), MOST_LEFT),
        "errors": listed(REASON, 100_000),
        "by_hand": listed(REASON, 1000),
    },
    "*",
)
SHOWN: Final[Schema] = {
    "$schema": DIALECT,
    **closed(
        {
            "id": ID,
            "side": {"enum": [side.value for side in Side]},
            "peer": NAME,
            "state": {"enum": [state.value for state in ContractState]},
            "terms": TERMS,
            "terms_by": {"enum": [side.value for side in Side]},
            "unacknowledged": COUNT,
            "sending_error": REASON,
            "allowed": listed({"enum": _CAUSED}),
            "history": listed(_STEP, 8192),
            "clean_up": {"anyOf": [{"type": "null"}, _CLEAN_UP]},
            "work": listed(_WORK, MOST_SHOWN),
        },
        "id",
        "side",
        "peer",
        "state",
        "terms",
        "terms_by",
        "unacknowledged",
        "allowed",
    ),
}
_LISTED: Final[Schema] = closed(
    {
        "id": ID,
        "peer": NAME,
        "side": {"enum": [side.value for side in Side]},
        "state": {"enum": [state.value for state in ContractState]},
        "virtual_region": ID,
        "region_name": NAME,
    },
    "*",
)
LIST: Final[Schema] = {"$schema": DIALECT, **closed({"contracts": listed(_LISTED, 1_000_000)}, "*")}
