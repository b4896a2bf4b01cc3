"""How the tables came to be, step by step, with Alembic. No alembic.ini: everything is said here.

A step goes to databases that other gateways are using: it must leave what their older program reads. MariaDB cannot undo DDL, so a
step can be run again after it was cut: `if_not_exists`, `if_exists`.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_HERE: Final = Path(__file__).parent


def config(connection: Connection) -> Config:
    """Alembic's configuration for a connection, inside its transaction."""
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return made


def is_current(connection: Connection) -> bool:
    """Whether a database has every step and no other."""
    found = MigrationContext.configure(connection).get_current_heads()
    return set(found) == set(ScriptDirectory(str(_HERE)).get_heads())


def is_begun(connection: Connection) -> bool:
    """Whether a database has any step at all."""
    return bool(MigrationContext.configure(connection).get_current_heads())


def upgrade(connection: Connection) -> None:
    """Take every step that is missing; the caller commits.

    Raises:
        alembic.util.CommandError: the database has steps that this program does not know.
    """
    command.upgrade(config(connection), "head")


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Undo steps down to a revision; the caller commits. What the tables held is gone."""
    command.downgrade(config(connection), revision)
