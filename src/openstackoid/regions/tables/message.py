"""Messages of ours that the other side has not acknowledged: sent again, later each time, until it has."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, bindparam, delete, func, select, update

from openstackoid.regions.tables import CONTRACTS, MESSAGES, OUTBOX
from openstackoid.storage.databases import Database

LONGEST_PAUSE: Final = 300  # seconds between two attempts
_AT_ONCE: Final = 100  # contracts of one look
_LONGEST_ERROR: Final = 255


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent.

    Attributes:
        contract: id.
        number: of ours.
        peer: to whom.
        signed: as it is sent.
    """

    contract: str
    number: int
    peer: str
    signed: str


class Outbox:
    """What is to be sent. A message of a contract waits for those before it."""

    def __init__(self, database: Database) -> None:
        """Use a database whose tables are there."""
        self._database = database

    def due(self, now: int) -> list[Outgoing]:
        """The first message of each contract that has one to send now."""
        with self._database.reading() as connection:
            return [Outgoing(*row) for row in connection.execute(_DUE, {"now": now})]

    def acknowledge(self, contract: str, number: int) -> None:
        """Forget messages up to a number: the other side has them."""
        done = (OUTBOX.c.contract == contract) & (OUTBOX.c.number <= number)
        with self._database.changing() as connection:
            connection.execute(delete(OUTBOX).where(done))

    def fail(self, contract: str, number: int, now: int, error: str) -> None:
        """Try again later: after 1, 2, 4, ... seconds, at most `LONGEST_PAUSE`."""
        it = (OUTBOX.c.contract == contract) & (OUTBOX.c.number == number)
        with self._database.changing() as connection:
            attempts = connection.scalar(select(OUTBOX.c.attempts).where(it))
            if attempts is not None:
                pause = min(LONGEST_PAUSE, 1 << min(attempts, 16))
                values = {"attempts": attempts + 1, "due": now + pause, "error": error[:_LONGEST_ERROR]}
                connection.execute(update(OUTBOX).where(it).values(values))

    def error(self, contract: str) -> str:
        """Why the last attempt failed; empty if none did."""
        chosen = select(OUTBOX.c.error).where(OUTBOX.c.contract == contract).order_by(OUTBOX.c.number)
        with self._database.reading() as connection:
            return connection.scalar(chosen) or ""


def _due() -> Select[Any]:
    now = bindparam("now", type_=OUTBOX.c.due.type)
    first = select(OUTBOX.c.contract, func.min(OUTBOX.c.number).label("number")).group_by(OUTBOX.c.contract).subquery()
    at_first = (OUTBOX.c.contract == first.c.contract) & (OUTBOX.c.number == first.c.number)
    of_it = (MESSAGES.c.contract == OUTBOX.c.contract) & (MESSAGES.c.number == OUTBOX.c.number)
    return (
        select(OUTBOX.c.contract, OUTBOX.c.number, CONTRACTS.c.peer, MESSAGES.c.signed)
        .join(first, at_first)
        .join(CONTRACTS, CONTRACTS.c.id == OUTBOX.c.contract)
        .join(MESSAGES, of_it & (MESSAGES.c.side == CONTRACTS.c.side))
        # A time further ahead than any pause is of a clock that was set back.
        .where((OUTBOX.c.due <= now) | (OUTBOX.c.due > now + 2 * LONGEST_PAUSE))
        .order_by(OUTBOX.c.due, OUTBOX.c.contract)
        .limit(_AT_ONCE)
    )


# Made once: each control plane asks every second.
_DUE: Final = _due()
