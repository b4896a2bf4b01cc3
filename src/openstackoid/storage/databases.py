"""A connection to a database, SQLite, PostgreSQL or MariaDB, and what differs between them.

sqlite:////var/lib/openstackoid/trust.sqlite            one machine
postgresql://user:password@host/openstackoid            pip install 'openstackoid[postgresql]'
mariadb://user:password@host/openstackoid               pip install 'openstackoid[mariadb]'; mysql:// is the same

An operator may replace SQLite's file under its name while it is in use, to restore a backup. A process that keeps the old file open
would go on reading it. So a connection is used again only while the file under the name is untouched since that connection opened it, and only
`exclusive` creates a missing one. (Opening costs more than most queries: SQLite parses all tables' definitions.) Journal mode: with a rollback
journal the file is complete whenever nobody writes. A write-ahead log would hold the latest changes beside it, and SQLite would apply
them to the file that replaces it (https://sqlite.org/howtocorrupt.html, 1.4).
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError

from openstackoid.storage.urls import StoreError, extra_for, parse_url, printable

LOCK_TIMEOUT: Final = 30  # seconds to wait for another process's transaction
_CONNECT_TIMEOUT: Final = 5  # seconds
# As the drivers call them: psycopg passes libpq's (milliseconds for the last), pymysql counts seconds.
_TIMEOUTS: Final = {
    "postgresql": {
        "connect_timeout": _CONNECT_TIMEOUT,
        "keepalives_idle": 10,
        "tcp_user_timeout": 1000 * (LOCK_TIMEOUT + _CONNECT_TIMEOUT),
    },
    "mariadb": {
        "connect_timeout": _CONNECT_TIMEOUT,
        "read_timeout": LOCK_TIMEOUT + _CONNECT_TIMEOUT,
        "write_timeout": LOCK_TIMEOUT + _CONNECT_TIMEOUT,
    },
}
# Advisory locks that serialise migrations: "OpSt" as a number for PostgreSQL, a name with the database's for MariaDB (64 characters at most).
_POSTGRESQL_LOCK: Final = 0x4F705374
_MARIADB_LOCK: Final = "CONCAT('openstackoid:', LEFT(DATABASE(), 50))"


class Database:
    """An engine, and what each kind of database needs around it. All methods block: in a coroutine, `asyncio.to_thread`.

    Attributes:
        kind: `sqlite`, `postgresql` or `mariadb`.
        name: its URL without the password.
        file: of SQLite, else None.
    """

    def __init__(self, url: str, *, option: str = "database") -> None:
        """Prepare the engine; nothing is opened yet.

        Args:
            url: SQLAlchemy URL.
            option: the option of the configuration that the URL comes from, for error messages.

        Raises:
            StoreError: not a URL of a known kind, or its driver is not installed.
        """
        parsed = parse_url(url, option)
        self.kind = parsed.get_backend_name()
        self.name = printable(parsed)
        options: dict[str, Any] = {"hide_parameters": True}
        self.file = Path(parsed.database or "").absolute() if self.kind == "sqlite" else None
        if self.file:
            options |= {"max_overflow": -1}  # no use waits for another one: each opened the file before
        else:
            # A restarted server must not cost a request, and an unreachable one must not hold a thread for long.
            options |= {"pool_pre_ping": True, "pool_recycle": 1800, "connect_args": _TIMEOUTS[self.kind]}
        try:
            self.engine: Engine = create_engine(parsed, **options)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{self.name}: {error.name} is missing: pip install 'openstackoid[{extra_for(error.name)}]'"
            ) from None
        # A read is one statement: it needs no transaction around it.
        self._reader = self.engine
        if self.file:
            _prepare_sqlite(self.engine, self.file)
        else:
            self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def is_missing(self) -> bool:
        """Whether SQLite's file does not exist."""
        return self.file is not None and not self.file.exists()

    def stamp(self) -> tuple[int, ...]:
        """Identify SQLite's file and its content: (device, inode, size, modification time in ns). Empty for a server.

        Raises:
            StoreError: the file does not exist.
        """
        if self.file is None:
            return ()
        try:
            return _stamp(self.file)
        except OSError as error:
            raise StoreError(f"{self.name}: {error.strerror}") from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection on which each statement commits by itself.

        Raises:
            StoreError: any failure of the database.
        """
        with self._map_errors(), self._reader.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def changing(self) -> Iterator[Connection]:
        """Open one transaction; an error or a crash rolls all of it back.

        Raises:
            StoreError: any failure of the database.
        """
        # IMMEDIATE: SQLite may refuse a transaction in the middle if it reads first and writes later.
        with self._map_errors(), self.engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
            yield connection

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Open one transaction that no other `exclusive` one runs beside, in any process. Creates a missing SQLite file, mode 0600.

        Raises:
            StoreError: any failure of the database, or another process holds the lock for longer than `LOCK_TIMEOUT`.
        """
        with self._map_errors():
            if self.file:
                # SQLite would make it readable for all; its journals take this file's mode.
                with contextlib.suppress(OSError):
                    os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
                with self.engine.execution_options(sqlite_begin="EXCLUSIVE").begin() as connection:
                    yield connection
                return
            with self.engine.connect() as connection:
                if self.kind == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRESQL_LOCK})
                elif connection.scalar(text(f"SELECT GET_LOCK({_MARIADB_LOCK}, {LOCK_TIMEOUT})")) != 1:
                    raise StoreError(f"{self.name}: another process has been changing its tables for {LOCK_TIMEOUT} s")
                try:
                    yield connection
                    connection.commit()
                finally:
                    if self.kind == "mariadb":
                        # DDL ends transactions there, so the lock belongs to the connection.
                        connection.rollback()
                        connection.execute(text(f"DO RELEASE_LOCK({_MARIADB_LOCK})"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _map_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(f"{self.name}: {_reason(error)}") from None


def _reason(error: SQLAlchemyError) -> str:
    """Describe a database error without the values that were written or read."""
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    if error.statement is None or type(error.orig).__module__ == "sqlite3":
        # Without a statement, the error is about the connection; SQLite never quotes values.
        message = " ".join(str(error.orig).split())
        return f"{type(error.orig).__name__}: {message[:300]}"
    state = getattr(error.orig, "sqlstate", None) or (error.orig.args[0] if error.orig and error.orig.args else "")
    return f"{type(error.orig).__name__} {state if isinstance(state, int) else str(state)[:5]}".rstrip()


def connect_sqlite(file: Path) -> sqlite3.Connection:
    """Connect to an existing SQLite file; SQLite alone would create a missing one."""
    # Threads take turns on a connection: each call comes from another thread of `asyncio.to_thread`.
    return sqlite3.connect(f"{file.as_uri()}?mode=rw", timeout=LOCK_TIMEOUT, uri=True, check_same_thread=False)


def _stamp(file: Path) -> tuple[int, ...]:
    status = file.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _prepare_sqlite(engine: Engine, file: Path) -> None:
    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, record: Any, *_arguments: object) -> sqlite3.Connection:
        # Taken first: a file that is replaced before it is opened has another stamp at the next use.
        with contextlib.suppress(OSError):
            record.info["stamp"] = _stamp(file)
        record.info["new"] = True
        return connect_sqlite(file)

    @event.listens_for(engine, "checkout")
    def check(_connection: object, record: Any, _fairy: object) -> None:
        if record.info.pop("new", False):
            return
        try:
            untouched = record.info.get("stamp") == _stamp(file)
        except OSError:
            untouched = False
        if not untouched:
            raise DisconnectionError  # the pool opens the file again

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions late, and never for DDL
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if kind := connection.get_execution_options().get("sqlite_begin"):
            connection.exec_driver_sql(f"BEGIN {kind}")
