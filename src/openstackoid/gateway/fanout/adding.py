"""Limits, quotas and usage of several clouds, queried in parallel and added up (`core.totals`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from openstackoid.core import limits
from openstackoid.core.errors import PeerAnswerError
from openstackoid.core.plans import Target
from openstackoid.core.totals import total
from openstackoid.gateway.fanout.asking import Ask, Leg, Reply, Turns, ask_all


@dataclass(frozen=True, slots=True)
class Added:
    """The answer.

    Attributes:
        legs: the result of each cloud.
        body: the document; None if no cloud answered with one.
        lead: the answer of the first cloud that did: its headers describe the document.
    """

    legs: Sequence[Leg]
    body: bytes | None
    lead: Reply | None


async def add_up(targets: Sequence[Target], path: str, ask: Ask, deadline: float, turns: Turns) -> Added:
    """Ask all clouds for a document, and add up their answers.

    Args:
        targets: the clouds.
        path: path and query inside the service.
        ask: sends one question.
        deadline: in the event loop's time.
        turns: leave room for other requests.
    """
    documents: dict[str, dict[str, Any]] = {}

    async def read(target: Target, inner: str) -> Reply:
        reply = await ask(target, inner)
        if reply.good:
            documents[target.cloud] = _document(target.cloud, reply.body)
        return reply

    legs = await ask_all(read, [(target, path) for target in targets], deadline, turns)
    answered = [leg for leg in legs if leg.code is None]
    if not answered:
        return Added(legs, None, None)
    return Added(legs, orjson.dumps(total([documents[leg.cloud] for leg in answered])), answered[0].reply)


def _document(cloud: str, body: bytes) -> dict[str, Any]:
    """The document of one cloud.

    Raises:
        PeerAnswerError: it is no JSON object, or over the limits of answers.
    """
    try:
        limits.check(body, limits.TOTALS)
        document = orjson.loads(body)
    except ValueError as error:
        raise PeerAnswerError(f"{cloud} answered what is not JSON as it should be: {error}.") from None
    if not isinstance(document, dict):
        raise PeerAnswerError(f"{cloud} answered JSON that is not an object.")
    return document
