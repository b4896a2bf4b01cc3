"""A connection to the database of agreements: SQLite, PostgreSQL or MariaDB, and what differs between them.

sqlite:////var/lib/openstackoid/trust.sqlite            one machine
postgresql://user:password@host/openstackoid            pip install 'openstackoid[postgresql]'
mariadb://user:password@host/openstackoid               pip install 'openstackoid[mariadb]'; mysql:// is the same
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

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
    """An engine, and what each kind of database needs around it."""

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
        if self.kind == "sqlite":
            options["connect_args"] = {"timeout": WAIT}
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
        if self.kind != "sqlite":
            self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        else:
            _prepare_sqlite(self.engine, Path(parsed.database or ""))

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
        """The same, while no other process is in here.

        Raises:
            StoreError: whatever goes wrong with the database, or another process does not come to its end.
        """
        with self._told():
            if self.kind == "sqlite":
                _journal(self.engine)
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


def _prepare_sqlite(engine: Engine, file: Path) -> None:
    @event.listens_for(engine, "do_connect")
    def make_file(*_: object) -> None:
        # SQLite would make it readable for all; its other files get this one's mode.
        with contextlib.suppress(OSError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions late, and never for DDL
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if kind := connection.get_execution_options().get("sqlite_begin"):
            connection.exec_driver_sql(f"BEGIN {kind}")


def _journal(engine: Engine) -> None:
    """Readers and a writer side by side from now on; the file remembers it.

    While another process does the same, SQLite refuses at once, whatever its timeout is (sqlite3_busy_handler, "deadlock").
    """
    end = time.monotonic() + WAIT
    while True:
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except DBAPIError as error:
            if "locked" not in str(error.orig) or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return
