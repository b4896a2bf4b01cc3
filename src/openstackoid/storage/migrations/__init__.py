"""The one runner of migrations, with Alembic: each package that keeps tables calls it with its own folder of versions.

A package has a folder of versions (one file a step, `v0001_...py` for the revision "0001", each naming the step before it) and a version table
of its own, so that several packages can share a database:

    MIGRATIONS = Migrations(Path(__file__).parent / "versions", version_table="regions_alembic_version")
    MIGRATIONS.upgrade(database)

Rules for a step:

- Other processes use the database while it runs: it must leave what an older program reads.
- MariaDB cannot roll DDL back: write it so that it can run again after a crash, with `if_not_exists` and `if_exists`.
- It never imports the package's tables: those change, a step does not.

There is no alembic.ini: the configuration is made here. Alembic is imported where a step is taken: most programs start with a current database.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from openstackoid.storage.databases import Database
from openstackoid.storage.urls import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

_ENVIRONMENT: Final = Path(__file__).parent  # where Alembic finds env.py


@dataclass(frozen=True, slots=True)
class Migrations:
    """The steps that made one package's tables.

    Attributes:
        versions: folder of the steps.
        version_table: Alembic's table, which holds the last step taken.
    """

    versions: Path
    version_table: str = "alembic_version"

    def upgrade(self, database: Database, *, create: bool = True) -> None:
        """Take every missing step; safe while other processes do the same.

        Args:
            database: which.
            create: whether to create the tables, and SQLite's file, where there are none.

        Raises:
            StoreError: the database is unreachable, was upgraded by a newer program, or has no tables and `create` is false.
        """
        if not (database.is_missing and create):
            with database.reading() as connection:
                if self.is_current(connection):
                    return
                if not create and not self._taken(connection):
                    raise StoreError(
                        f"{database.name}: it has no tables of openstackoid. Is it the right one, and whole?"
                    )
        from alembic.util import CommandError  # noqa: PLC0415 - see above

        try:
            with database.exclusive() as connection:
                self.apply(connection)
        except CommandError:
            raise StoreError(
                f"{database.name}: its tables were made by a newer version of openstackoid. Install that here, too."
            ) from None

    def is_current(self, connection: Connection) -> bool:
        """Whether a database has every step and no unknown one."""
        return self._taken(connection) == {self.head}

    @property
    def head(self) -> str:
        """The revision of the last step."""
        return max(path.stem[1:].partition("_")[0] for path in self.versions.glob("v[0-9]*_*.py"))

    def apply(self, connection: Connection) -> None:
        """Take every missing step; the caller commits.

        Raises:
            alembic.util.CommandError: the database has a step that this program does not know.
        """
        from alembic import command  # noqa: PLC0415 - see above

        command.upgrade(self._config(connection), "head")

    def downgrade(self, connection: Connection, revision: str = "base") -> None:
        """Undo steps down to a revision; the caller commits. Rows of dropped tables are lost."""
        from alembic import command  # noqa: PLC0415 - see above

        command.downgrade(self._config(connection), revision)

    def _taken(self, connection: Connection) -> set[str]:
        """The revisions in the version table: one, or none before the first step."""
        if not sa.inspect(connection).has_table(self.version_table):
            return set()
        chosen: sa.Select[tuple[str]] = sa.select(sa.column("version_num")).select_from(sa.table(self.version_table))
        return set(connection.scalars(chosen))

    def _config(self, connection: Connection) -> "Config":
        from alembic.config import Config  # noqa: PLC0415 - see above

        config = Config(attributes={"connection": connection, "version_table": self.version_table})
        config.set_main_option("path_separator", "newline")  # the folder's name may have blanks
        config.set_main_option("script_location", str(_ENVIRONMENT).replace("%", "%%"))
        config.set_main_option("version_locations", str(self.versions).replace("%", "%%"))
        return config
