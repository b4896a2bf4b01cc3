"""Find one resource by its id or name among several clouds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from openstackoid.core.errors import AmbiguousError
from openstackoid.core.plans import Target
from openstackoid.gateway.fanout.asking import Ask, Leg, MissedError, Turns, ask_all, reasons

NOT_FOUND: Final = 404
_ID: Final = re.compile(r"/(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:/|\Z)")
_PROJECT: Final = re.compile(r"^/v\d(?:\.\d+)?/[0-9a-f]{32}(?=/)")


@dataclass(frozen=True, slots=True)
class Found:
    """The cloud that has the resource.

    Attributes:
        legs: the result of each cloud that was asked.
        leg: the result to answer with: of the cloud that has the resource, or, if none has it, an error of one of the clouds.
    """

    legs: Sequence[Leg]
    leg: Leg


async def find(
    targets: Sequence[Target], path: str, ask: Ask, deadline: float, turns: Turns, entry: str | None = None
) -> Found:
    """Ask all clouds for a resource.

    Args:
        targets: the clouds.
        path: path and query inside the service.
        ask: sends one question.
        deadline: in the event loop's time.
        turns: bounds how many clouds are asked at a time.
        entry: the cloud that is preferred if several have the resource; None if that is an error.

    Raises:
        AmbiguousError: several clouds have the resource.
        MissedError: the clouds that answered do not have it, and others did not answer.
    """
    legs = await ask_all(ask, [(target, path) for target in targets], deadline, turns)
    having = [leg for leg in legs if leg.reply and leg.reply.good]
    # 404 is an answer; any other error makes the cloud missing.
    legs_seen = [_without_reason(leg) if leg.reply and leg.reply.status == NOT_FOUND else leg for leg in legs]
    if len(having) > 1 and entry is None:
        places = ", ".join(leg.cloud for leg in having)
        raise AmbiguousError(f"Several clouds have {path.partition('?')[0]}: {places}. Name one of them in the scope.")
    if having:
        return Found(legs_seen, min(having, key=lambda leg: leg.cloud != entry))
    missed = [leg for leg in legs_seen if leg.code]
    absent = [leg for leg in legs_seen if not leg.code]
    if absent and (not missed or not names_an_id(path)):
        return Found(legs_seen, absent[0])
    refused = [leg for leg in missed if leg.reply]
    if len(refused) == len(legs):
        return Found(legs_seen, refused[0])
    raise MissedError(f"{_nobody(absent)} {reasons(missed)}", legs_seen)


def names_an_id(path: str) -> bool:
    """Whether a path names a resource by a generated id of OpenStack's usual forms: then 404 means that the resource is gone."""
    return _ID.search(_PROJECT.sub("", path.partition("?")[0])) is not None


async def find_by_name(
    targets: Sequence[Target], collection: str, name: str, ask: Ask, deadline: float, turns: Turns, entry: str
) -> tuple[Target, str] | None:
    """Find one flavor by its name: nova has no search for it, and clients ask for its id as for its name.

    Args:
        targets: the clouds.
        collection: path of the list.
        name: of the flavor.
        ask: as in `find`.
        deadline: as in `find`.
        turns: as in `find`.
        entry: the cloud that is preferred.

    Returns:
        A cloud and the id there; None if no cloud has one, or a cloud has several.
    """
    legs = await ask_all(ask, [(target, f"{collection}?limit=1000") for target in targets], deadline, turns)
    found = []
    for target, leg in zip(targets, legs, strict=True):
        ids = _named(leg, name)
        if len(ids) > 1:
            return None
        found += [(target, one) for one in ids]
    return min(found, key=lambda pair: pair[0].cloud != entry, default=None)


def _named(leg: Leg, name: str) -> list[str]:
    try:
        document = orjson.loads(leg.reply.body) if leg.reply is not None and leg.reply.good else None
    except orjson.JSONDecodeError:
        return []
    items = document.get("flavors") if isinstance(document, dict) else None
    same = (
        [item for item in items if isinstance(item, dict) and item.get("name") == name]
        if isinstance(items, list)
        else []
    )
    return [str(item["id"]) for item in same if "id" in item]


def _without_reason(leg: Leg) -> Leg:
    return Leg(leg.cloud, leg.reply, None, "", leg.ms)


def _nobody(absent: Sequence[Leg]) -> str:
    return f"Not in {', '.join(leg.cloud for leg in absent)}; but not all answered." if absent else "No cloud answered."
