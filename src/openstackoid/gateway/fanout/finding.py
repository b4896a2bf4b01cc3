"""Find one resource by its id or name among several clouds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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


async def find(targets: Sequence[Target], path: str, ask: Ask, deadline: float, turns: Turns) -> Found:
    """Ask all clouds for a resource.

    Args:
        targets: the clouds.
        path: path and query inside the service.
        ask: sends one question.
        deadline: in the event loop's time.
        turns: bounds how many clouds are asked at a time.

    Raises:
        AmbiguousError: several clouds have the resource.
        MissedError: the clouds that answered do not have it, and others did not answer.
    """
    legs = await ask_all(ask, [(target, path) for target in targets], deadline, turns)
    having = [leg for leg in legs if leg.reply and leg.reply.good]
    # 404 is an answer; any other error makes the cloud missing.
    legs_seen = [_without_reason(leg) if leg.reply and leg.reply.status == NOT_FOUND else leg for leg in legs]
    if len(having) > 1:
        places = ", ".join(leg.cloud for leg in having)
        raise AmbiguousError(f"Several clouds have {path.partition('?')[0]}: {places}. Name one of them in the scope.")
    if having:
        return Found(legs_seen, having[0])
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


def _without_reason(leg: Leg) -> Leg:
    return Leg(leg.cloud, leg.reply, None, "", leg.ms)


def _nobody(absent: Sequence[Leg]) -> str:
    return f"Not in {', '.join(leg.cloud for leg in absent)}; but not all answered." if absent else "No cloud answered."
