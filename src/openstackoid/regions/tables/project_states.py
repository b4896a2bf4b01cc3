"""What was said of a contract's projects, on either side. Calls block: in a coroutine, `asyncio.to_thread`.

at the consumer   one row a project with a sub-project: as it was said, or missing, since when; a row without a project has the last statement's serial
at the provider   one row a project that is not enabled; a row without a project has the serial of the last statement taken
"""

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from openstackoid.regions.errors import MessageError
from openstackoid.regions.objects.project_states import ProjectState
from openstackoid.regions.objects.work import WHOLE
from openstackoid.regions.tables import PROJECT_STATES, serialise
from openstackoid.storage.databases import Database


class ProjectStates:
    """States of projects, and serials of statements."""

    def __init__(self, database: Database) -> None:
        """Use a database whose tables are there."""
        self._database = database

    def all(self, contract: str) -> dict[str, tuple[ProjectState, int]]:
        """Project -> state, and the time since when."""
        table = PROJECT_STATES
        chosen = select(table.c.project, table.c.state, table.c.since).where(
            table.c.contract == contract, table.c.project != WHOLE
        )
        with self._database.reading() as connection:
            return {row[0]: (ProjectState(row[1]), row[2]) for row in connection.execute(chosen)}

    def replace(self, contract: str, states: dict[str, tuple[ProjectState, int]]) -> None:
        """Write the states of a contract's projects."""
        with self._database.changing() as connection:
            serialise(connection)
            _replace(connection, contract, states)

    def next_serial(self, contract: str) -> int:
        """A serial that no statement of ours has had."""
        with self._database.changing() as connection:
            serialise(connection)
            return _serial(connection, contract, None)

    def check(self, contract: str, serial: int) -> None:
        """Check that a statement is not older than one that was taken.

        Raises:
            MessageError: it is.
        """
        with self._database.reading() as connection:
            _check(connection, contract, serial)

    def take(self, contract: str, serial: int, states: dict[str, tuple[ProjectState, int]]) -> bool:
        """Take a statement; returns whether it is new: the same one again changes nothing.

        Raises:
            MessageError: a later one has been taken.
        """
        with self._database.changing() as connection:
            serialise(connection)
            last = _check(connection, contract, serial)
            _serial(connection, contract, serial)
            _replace(connection, contract, states)
        return bool(serial > last)


def _check(connection: Connection, contract: str, serial: int) -> int:
    last = connection.scalar(select(PROJECT_STATES.c.since).where(_whole(contract))) or 0
    if serial < last:
        raise MessageError(f"Expected a serial of {last} or more, got {serial}: a later statement was taken.")
    return int(last)


def _serial(connection: Connection, contract: str, serial: int | None) -> int:
    table = PROJECT_STATES
    last = connection.scalar(select(table.c.since).where(_whole(contract)))
    following = (last or 0) + 1 if serial is None else serial
    if last is None:
        values = {"contract": contract, "project": WHOLE, "state": "", "since": following}
        connection.execute(insert(table).values(values))
    else:
        connection.execute(update(table).where(_whole(contract)).values(since=following))
    return following


def _replace(connection: Connection, contract: str, states: dict[str, tuple[ProjectState, int]]) -> None:
    table = PROJECT_STATES
    connection.execute(delete(table).where(table.c.contract == contract, table.c.project != WHOLE))
    for project, (state, since) in states.items():
        values = {"contract": contract, "project": project, "state": state.value, "since": since}
        connection.execute(insert(table).values(values))


def _whole(contract: str) -> Any:
    return (PROJECT_STATES.c.contract == contract) & (PROJECT_STATES.c.project == WHOLE)
