"""Two things that oslo.db does otherwise with SQLite: transactions that write wait for their turn, and connections are kept.

Transactions that write take SQLite's write lock when they begin. oslo.db begins every transaction with a plain ``BEGIN`` (oslo_db/sqlalchemy/engines.py, ``_sqlite_emit_begin``): SQLite
then takes the write lock at the first write only, and when another writer came in between, the transaction fails at
once with "database is locked", whatever the busy timeout, since what it has read is out of date. Eight servers booted
at the same time were enough for that. ``BEGIN IMMEDIATE`` waits for its turn instead, and the busy timeout counts.

oslo.db knows which sessions are writers but has no option for it, so its two methods that open one are wrapped here.

Connections are kept in SQLAlchemy's pool for files. oslo.db opens one for each session (the same file, ``_init_connection_args``), and each
reads the whole schema first, of up to 200 tables: a quarter of all that a service does.
"""

from typing import Any

import sqlalchemy
from oslo_db.sqlalchemy import enginefacade, engines

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


def keep_connections() -> None:
    """Undo what oslo.db does about SQLite's connections: SQLAlchemy's own pool for files is used, without a limit."""

    def keep(_url: Any, engine_args: dict[str, Any], _kw: dict[str, Any]) -> None:
        # Nothing that would close a connection to a file could be found by a ping.
        engine_args |= {"poolclass": sqlalchemy.QueuePool, "max_overflow": -1, "pool_pre_ping": False}

    engines._init_connection_args.dispatch_for("sqlite")(keep)  # noqa: SLF001
