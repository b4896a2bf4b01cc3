"""A database whose tables are made once, and are as new for each test."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import MetaData, Table, delete, insert, inspect, select

from openstackoid.storage.databases import Database
from openstackoid.trust.store import Store


class Prepared:
    """One database after another, where a test has dropped a table."""

    def __init__(self, new: Callable[[], str]) -> None:
        """Prepare nothing yet.

        Args:
            new: makes an empty database. Returns its URL.
        """
        self._new = new
        self._url = ""
        self._first: dict[Table, list[dict[str, Any]]] = {}

    def url(self) -> str:
        """The URL of a database with tables, which have the rows of their first hour."""
        if not (self._url and self._is_emptied()):
            self._make()
        return self._url

    def _make(self) -> None:
        self._url = self._new()
        store, database, tables = Store(self._url), Database(self._url), MetaData()
        store.upgrade()
        store.close()
        with database.reading() as connection:
            tables.reflect(connection)
            self._first = {
                table: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in tables.sorted_tables
            }
        database.close()

    def _is_emptied(self) -> bool:
        database = Database(self._url)
        try:
            with database.changing() as connection:
                if set(inspect(connection).get_table_names()) != {table.name for table in self._first}:
                    return False
                for table in reversed(self._first):
                    connection.execute(delete(table))
                for table, rows in self._first.items():
                    if rows:
                        connection.execute(insert(table), rows)
            return True
        finally:
            database.close()
