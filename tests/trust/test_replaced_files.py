"""When SQLite's file is replaced or overwritten, the next query reads the new content. While nobody changes the file, it is opened once."""

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import event, text

from openstackoid.storage.databases import Database
from openstackoid.storage.urls import StoreError


def saved(path: Path, number: int) -> Path:
    """A file of the same size and with the same count of changes, whatever the number."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE kept (number INTEGER)")
    connection.execute("INSERT INTO kept VALUES (?)", (number,))
    connection.commit()
    connection.close()
    return path


def number(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(text("SELECT number FROM kept")) or 0)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{saved(tmp_path / 'database.sqlite', 1)}")


def test_a_file_that_replaces_another_one_is_read_at_once(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "database.sqlite"
    for other in range(2, 6):
        assert number(database) == other - 1
        backup = saved(tmp_path / f"{other}.sqlite", other)
        if other % 2:
            backup.replace(file)
        else:
            shutil.copyfile(backup, file)  # written over: the same file
        assert number(database) == other
        with database.changing() as connection:
            connection.execute(text("UPDATE kept SET number = number"))
    database.close()


def test_a_file_that_is_gone_is_not_read_any_more(database: Database, tmp_path: Path) -> None:
    assert number(database) == 1
    (tmp_path / "database.sqlite").rename(tmp_path / "aside")
    for _ in range(2):
        with pytest.raises(StoreError, match="unable to open"):
            number(database)
    (tmp_path / "aside").rename(tmp_path / "database.sqlite")
    assert number(database) == 1
    database.close()


def test_an_untouched_file_is_opened_once_and_what_others_write_is_read(database: Database, tmp_path: Path) -> None:
    opened: list[object] = []
    event.listen(database.engine, "connect", lambda connection, _: opened.append(connection))
    assert [number(database) for _ in range(5)] == [1] * 5
    assert len(opened) == 1
    with sqlite3.connect(tmp_path / "database.sqlite") as other:
        other.execute("UPDATE kept SET number = 2")
    other.close()
    assert [number(database) for _ in range(5)] == [2] * 5
    assert len(opened) == 2
    database.close()


def test_threads_read_while_another_process_writes_all_the_time(database: Database, tmp_path: Path) -> None:
    """However often the file changes between two uses: each opens it, and none fails."""
    file, ended = tmp_path / "database.sqlite", threading.Event()
    faults: list[BaseException] = []

    def read() -> None:
        last = 0
        try:
            while not ended.is_set():
                found = number(database)
                assert found >= last
                last = found
        except BaseException as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    with sqlite3.connect(file, timeout=30) as writer:
        for count in range(2, 60):
            writer.execute("UPDATE kept SET number = ?", (count,))
            writer.commit()
    writer.close()
    ended.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert number(database) == 59
    assert len(list(Path("/proc/self/fd").iterdir())) < 100
    database.close()
