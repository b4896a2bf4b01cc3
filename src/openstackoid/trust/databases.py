"""A connection to the database of agreements: SQLite, PostgreSQL or MariaDB, and what differs between them.

sqlite:////var/lib/openstackoid/trust.sqlite            one machine
postgresql://user:password@host/openstackoid            pip install 'openstackoid[postgresql]'
mariadb://user:password@host/openstackoid               pip install 'openstackoid[mariadb]'; mysql:// is the same

SQLite's file may be replaced under its name while it is in use: a backup is moved to its place. Who keeps it open goes on reading the old one. So each
use opens the file that has the name now, and none but the first of all makes one. With a rollback journal the file is whole whenever nobody writes; with a
write-ahead log what was written last would stand beside it, and would be read into whatever file comes to its place (https://sqlite.org/howtocorrupt.html, 1.4).
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from openstackoid.core.errors import OpenStackoidError

WAIT: Final = 30  # seconds for another's change to end
_CONNECT: Final = 5  # seconds to connect
# As the drivers call them: psycopg passes libpq's (milliseconds for the last), pymysql counts seconds.
_TIMEOUTS: Final = {
    "postgresql": {"connect_timeout": _CONNECT, "keepalives_idle": 10, "tcp_user_timeout": 1000 * (WAIT + _CONNECT)},
    "mariadb": {"connect_timeout": _CONNECT, "read_timeout": WAIT + _CONNECT, "write_timeout": WAIT + _CONNECT},
}
_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
_DRIVERS_OF: Final = {"psycopg": "postgresql", "pymysql": "mariadb"}
_LOCK: Final = 0x4F705374  # "OpSt": of no other program, with luck


class StoreError(OpenStackoidError):
    """The database of agreements does not do what it should; the message names it without its password."""

    status = 503
    code = "store.failed"


class Database:
    """An engine, and what each kind of database needs around it.

    Attributes:
        kind: `sqlite`, `postgresql` or `mariadb`.
        name: its URL without the password.
        file: of SQLite, else None.
    """

    def __init__(self, url: str) -> None:
        """Prepare; nothing is opened yet.

        Args:
            url: SQLAlchemy URL.

        Raises:
            StoreError: not a URL of a kind that is known, or its driver is not installed.
        """
        parsed = _parsed(url)
        self.kind = parsed.get_backend_name()
        self.name = parsed.set(query={}).render_as_string(hide_password=True)  # a query may hold passwords, too
        options: dict[str, Any] = {"hide_parameters": True}
        self.file = Path(parsed.database or "").absolute() if self.kind == "sqlite" else None
        if self.file:
            options |= {"poolclass": NullPool, "creator": lambda: sqlite_at(self.file)}
        else:
            # A server that was started again must not cost a request; and one that is gone must not hold a thread for long.
            options |= {"pool_pre_ping": True, "pool_recycle": 1800, "connect_args": _TIMEOUTS[self.kind]}
        try:
            self.engine: Engine = create_engine(parsed, **options)
        except ModuleNotFoundError as error:
            extra = _DRIVERS_OF.get(error.name or "", "postgresql,mariadb")
            raise StoreError(f"{self.name}: {error.name} is missing: pip install 'openstackoid[{extra}]'") from None
        # Reading is one statement each time: no transaction to begin and to end.
        self._reader = self.engine
        if self.file:
            _prepare_sqlite(self.engine)
        else:
            self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def missing(self) -> bool:
        """Whether SQLite's file is not there."""
        return self.file is not None and not self.file.exists()

    def stamp(self) -> tuple[int, ...]:
        """What differs when SQLite's file is another one, or was written to: device, inode, size, time. Of a server, nothing.

        Raises:
            StoreError: the file is gone.
        """
        if self.file is None:
            return ()
        try:
            found = self.file.stat()
        except OSError as error:
            raise StoreError(f"{self.name}: {error.strerror}") from None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection on which each statement stands alone.

        Raises:
            StoreError: whatever goes wrong with the database.
        """
        with self._told(), self._reader.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def changing(self) -> Iterator[Connection]:
        """One transaction: all of it, or after an error or a crash nothing.

        Raises:
            StoreError: whatever goes wrong with the database.
        """
        # At once: a transaction that first reads and then writes could be refused in the middle.
        with self._told(), self.engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
            yield connection

    @contextlib.contextmanager
    def alone(self) -> Iterator[Connection]:
        """The same, while no other process is in here. A file of SQLite that is missing is made.

        Raises:
            StoreError: whatever goes wrong with the database, or another process does not come to its end.
        """
        with self._told():
            if self.file:
                # SQLite would make it readable for all; its other files get this one's mode.
                with contextlib.suppress(OSError):
                    os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
                with self.engine.execution_options(sqlite_begin="EXCLUSIVE").begin() as connection:
                    yield connection
                return
            with self.engine.connect() as connection:
                if self.kind == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                elif connection.scalar(text(f"SELECT GET_LOCK({_MARIADB_LOCK}, {WAIT})")) != 1:
                    raise StoreError(f"{self.name}: another process has been changing its tables for {WAIT} s")
                try:
                    yield connection
                    connection.commit()
                finally:
                    if self.kind == "mariadb":
                        # DDL ends transactions there, so the lock belongs to the connection.
                        connection.rollback()
                        connection.execute(text(f"DO RELEASE_LOCK({_MARIADB_LOCK})"))

    def close(self) -> None:
        """Close what is open."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(f"{self.name}: {_reason(error)}") from None


_MARIADB_LOCK: Final = "CONCAT('openstackoid:', LEFT(DATABASE(), 50))"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        kind = {"mysql": "mariadb"}.get(parsed.get_backend_name(), parsed.get_backend_name())
    except (ArgumentError, ValueError):
        parsed, kind = None, ""
    if parsed is None or kind not in _DRIVERS:
        # Not what came: it may hold a password.
        raise StoreError(
            "trust.database: expected sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME or mariadb://... "
            "(a % or @ within the password as %25 or %40)"
        )
    if kind == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise StoreError("trust.database: expected a file, sqlite:///FILE: all processes of a gateway share it")
    return parsed.set(drivername=_DRIVERS[kind])


def _reason(error: SQLAlchemyError) -> str:
    """What went wrong, without what was written or read."""
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    if error.statement is None or type(error.orig).__module__ == "sqlite3":
        # Before any statement there is nothing to tell but why there is no connection; SQLite never quotes values.
        found = " ".join(str(error.orig).split())
        return f"{type(error.orig).__name__}: {found[:300]}"
    state = getattr(error.orig, "sqlstate", None) or (error.orig.args[0] if error.orig and error.orig.args else "")
    return f"{type(error.orig).__name__} {state if isinstance(state, int) else str(state)[:5]}".rstrip()


def sqlite_at(file: Path) -> sqlite3.Connection:
    """A connection to a file that is there; SQLite would make a missing one."""
    # A connection is used by one thread after the other: whoever asks, in `asyncio.to_thread`.
    return sqlite3.connect(f"{file.as_uri()}?mode=rw", timeout=WAIT, uri=True, check_same_thread=False)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions late, and never for DDL
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if kind := connection.get_execution_options().get("sqlite_begin"):
            connection.exec_driver_sql(f"BEGIN {kind}")
