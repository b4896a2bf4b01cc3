"""`openstackoid database`: back up, restore and upgrade the database of agreements, also while gateways use it.

SQLite's own backup is a copy of one moment, and a restored one is written in one transaction (https://sqlite.org/backup.html): gateways see the old
agreements or the restored ones, and never a mixture. Database servers have programs of their own for this.
"""

import argparse
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from openstackoid.core.errors import ConfigError
from openstackoid.operators import registry
from openstackoid.storage.databases import Database, connect_sqlite
from openstackoid.storage.urls import StoreError
from openstackoid.trust.store import Store

_SERVERS = {
    "postgresql": "pg_dump --format=custom --file=FILE NAME, and pg_restore --clean --if-exists --single-transaction --dbname=NAME FILE",
    "mariadb": "mariadb-dump --single-transaction NAME > FILE, and mariadb NAME < FILE",
}


def backup(arguments: argparse.Namespace) -> int:
    """Copy the database to a file."""
    source, target = _file(arguments), arguments.file.absolute()
    if target.exists() and not arguments.force:
        raise ConfigError(f"{target} is there already: name another file, or say --force")
    with _told(source), contextlib.closing(connect_sqlite(source)) as database, _beside(target) as (path, copy):
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # else a copy of it would be two files
        _check(path, copy)
        copy.close()
        if arguments.force:
            path.replace(target)
        else:
            os.link(path, target)  # fails if another file was made meanwhile
    print(f"{target}: {_summary(target)}")
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """Put a copy into the place of the database."""
    target, source = _file(arguments), arguments.file.absolute()
    if target.exists() and not arguments.force:
        raise ConfigError(f"{target} is there, and what was changed since the copy was made would be lost: say --force")
    with _told(source), contextlib.closing(connect_sqlite(source)) as saved, _beside(target) as (path, copy):
        _check(source, saved)
        saved.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        store = Store(f"sqlite:///{path}")
        store.upgrade(create=False)
        # Gateways must notice the new database: no revision that they have seen may occur again.
        copy.execute("UPDATE revision SET number = 1 + max(number, ?)", (_revision(target),))
        copy.commit()
        if _is_sound(target):
            with _told(target), contextlib.closing(connect_sqlite(target)) as database:
                copy.backup(database)
        else:
            for rest in ("-journal", "-wal", "-shm"):
                target.with_name(target.name + rest).unlink(missing_ok=True)
            copy.close()
            path.replace(target)
    print(f"{target}: {_summary(target)}. Gateways that run take it within a second.")
    return 0


def upgrade(arguments: argparse.Namespace) -> int:
    """Bring the tables up to date."""
    _, trust = registry.trusted(arguments.config)
    with registry.opened(trust) as store:
        print(f"{store.name}: its tables are up to date, revision {store.revision()}")
    return 0


def _file(arguments: argparse.Namespace) -> Path:
    """SQLite's file of the configuration.

    Raises:
        ConfigError: the database is on a server.
    """
    _, trust = registry.trusted(arguments.config)
    database = Database(registry.url(trust))
    if database.file is None:
        raise ConfigError(f"{database.name} is on a server, whose own programs do this: {_SERVERS[database.kind]}")
    return database.file


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """A file of mode 600 in the folder of another one, of the same owner, and a connection to it; gone afterwards."""
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}") from None
    os.close(number)
    path = Path(name)
    try:
        if os.geteuid() == 0:
            owner = (target if target.exists() else target.parent).stat()
            os.chown(path, owner.st_uid, owner.st_gid)
        with contextlib.closing(connect_sqlite(path)) as connection:
            yield path, connection
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{file}: {error}") from None
    except FileExistsError:
        raise ConfigError(f"{file}: another file was made there meanwhile") from None


def _check(file: Path, database: sqlite3.Connection) -> None:
    verdict = database.execute("PRAGMA integrity_check").fetchone()
    if verdict != ("ok",):
        raise StoreError(f"{file}: it is damaged: {verdict[0] if verdict else 'it cannot be read'}")
    if not database.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('agreements', 'revision')").fetchone()[
        0
    ]:
        raise StoreError(f"{file}: it has no tables of openstackoid")


def _is_sound(file: Path) -> bool:
    """Whether a database can be overwritten in place; else its file has to be replaced."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(connect_sqlite(file)) as database:
        return bool(database.execute("PRAGMA quick_check").fetchone() == ("ok",))
    return False


def _revision(file: Path) -> int:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(connect_sqlite(file)) as database:
        return int(database.execute("SELECT number FROM revision").fetchone()[0])
    return 0


def _summary(file: Path) -> str:
    store = Store(f"sqlite:///{file}")
    states = (
        ", ".join(f"{agreement.peer} {agreement.state.value}" for agreement in store.agreements()) or "no agreements"
    )
    return f"revision {store.revision()}, {states}"
