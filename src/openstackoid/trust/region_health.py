"""How a consumer's regions do, as its gateways see it: requests, failures and their time, minute by minute. Calls block: in a coroutine, `asyncio.to_thread`.

Gateways add what they have counted every few seconds; the control plane reads it. A row for each contract and minute, of the last hour, and one of
minute 0 for the last success and the last failure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from openstackoid.storage.databases import Database
from openstackoid.trust.tables import REGION_HEALTH, serialise

_KEPT: Final = 60  # minutes
WINDOW: Final = 5  # minutes of which rates are told
_LAST: Final = 0
_H: Final = REGION_HEALTH.c


@dataclass(slots=True)
class Counted:
    """What one gateway has counted for a contract in a minute.

    Attributes:
        requests: those that were sent, or were to be.
        failures: those that came to nothing since the provider was away, or answered with a status of 500 or more.
        milliseconds: of all requests together, until their answers began.
        last_success, last_failure: Unix seconds; 0 for none.
        error: permanent code, or status, of the last failure.
    """

    requests: int = 0
    failures: int = 0
    milliseconds: int = 0
    last_success: int = 0
    last_failure: int = 0
    error: str = ""


class RegionHealth:
    """The health of all regions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, counted: Iterable[tuple[str, int, Counted]]) -> None:
        """Add what was counted: (contract, minute, counts)."""
        with self._database.changing() as connection:
            serialise(connection, 0)
            newest = 0
            for contract, minute, counts in counted:
                newest = max(newest, minute)
                _add(connection, contract, minute, counts)
                _add(connection, contract, _LAST, Counted(0, 0, 0, *_times(counts)))
            old = (_H.minute != _LAST) & (_H.minute < newest - _KEPT)
            connection.execute(delete(REGION_HEALTH).where(old))

    def all(self, minute: int) -> dict[str, Counted]:
        """Contract -> counts of the last minutes, with the last success and failure ever."""
        # Minutes to come are of a gateway whose clock is wrong.
        recent = ((_H.minute > minute - WINDOW) & (_H.minute <= minute + 1)) | (_H.minute == _LAST)
        sums = [func.sum(column) for column in (_H.requests, _H.failures, _H.milliseconds)]
        last = [func.max(column) for column in (_H.last_success, _H.last_failure)]
        chosen = select(_H.contract, *sums, *last).where(recent).group_by(_H.contract)
        errors = select(_H.contract, _H.error).where(_H.minute == _LAST)
        with self._database.reading() as connection:
            found = {}
            for contract, *values in connection.execute(chosen):
                requests, failures, milliseconds, success, failure = (int(value or 0) for value in values)
                found[contract] = Counted(requests, failures, milliseconds, success, failure)
            for contract, error in connection.execute(errors):
                if contract in found:  # else its first count came after the others were read
                    found[contract].error = error
        return found


def _times(counts: Counted) -> tuple[int, int, str]:
    return counts.last_success, counts.last_failure, counts.error


def _add(connection: Connection, contract: str, minute: int, counts: Counted) -> None:
    row = (_H.contract == contract) & (_H.minute == minute)
    values: dict[str, Any] = {
        "requests": _H.requests + counts.requests,
        "failures": _H.failures + counts.failures,
        "milliseconds": _H.milliseconds + counts.milliseconds,
    }
    if counts.last_success:
        values["last_success"] = counts.last_success
    if counts.last_failure:
        values |= {"last_failure": counts.last_failure, "error": counts.error[:64]}
    if connection.execute(update(REGION_HEALTH).where(row).values(values)).rowcount == 0:
        made = {"contract": contract, "minute": minute, "requests": counts.requests, "failures": counts.failures}
        made |= {"milliseconds": counts.milliseconds, "error": counts.error[:64]}
        made |= {"last_success": counts.last_success, "last_failure": counts.last_failure}
        connection.execute(insert(REGION_HEALTH).values(made))
