"""Transactions that write take SQLite's write lock when they begin.

oslo.db begins every transaction with a plain ``BEGIN`` (oslo_db/sqlalchemy/engines.py, ``_sqlite_emit_begin``): SQLite
then takes the write lock at the first write only, and when another writer came in between, the transaction fails at
once with "database is locked", whatever the busy timeout, since what it has read is out of date. Eight servers booted
at the same time were enough for that. ``BEGIN IMMEDIATE`` waits for its turn instead, and the busy timeout counts.

oslo.db knows which sessions are writers but has no option for it, so its two methods that open one are wrapped here.
"""

from typing import Any

import sqlalchemy
from oslo_db.sqlalchemy import enginefacade

WRITES = "openstackoid_writes"


def begin_writers_immediately() -> None:
    """Mark writers' connections, and turn their BEGIN into BEGIN IMMEDIATE."""
    factory: Any = enginefacade._TransactionFactory  # noqa: SLF001
    writer = enginefacade._WRITER  # noqa: SLF001
    create_session, create_connection = factory._create_session, factory._create_connection  # noqa: SLF001

    def session(self: Any, mode: Any, bind: Any = None) -> Any:
        if mode is writer:
            bind = (bind or self.get_writer_engine()).execution_options(**{WRITES: True})
        return create_session(self, mode, bind)

    def connection(self: Any, mode: Any) -> Any:
        opened = create_connection(self, mode)
        return opened.execution_options(**{WRITES: True}) if mode is writer else opened

    factory._create_session = session  # noqa: SLF001
    factory._create_connection = connection  # noqa: SLF001

    def begin(conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> tuple[str, Any]:
        if statement == "BEGIN" and conn.get_execution_options().get(WRITES):
            statement = "BEGIN IMMEDIATE"
        return statement, parameters

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", begin, retval=True)
