"""How the tables of operations came to be, step by step, with Alembic; as `openstackoid.trust.migrations`, which says what a step must keep to.

Alembic's own table has another name here: both may live in one database.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

VERSIONS: Final = "oaktree_alembic_version"
_HERE: Final = Path(__file__).parent


def config(connection: Connection) -> Config:
    """Alembic's configuration for a connection, inside its transaction."""
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return made


def is_current(connection: Connection) -> bool:
    """Whether a database has every step and no other."""
    found = MigrationContext.configure(connection, opts={"version_table": VERSIONS}).get_current_heads()
    return set(found) == set(ScriptDirectory(str(_HERE)).get_heads())


def upgrade(connection: Connection) -> None:
    """Take every step that is missing; the caller commits.

    Raises:
        alembic.util.CommandError: the database has steps that this program does not know.
    """
    command.upgrade(config(connection), "head")


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Undo steps down to a revision; the caller commits. What the tables held is gone."""
    command.downgrade(config(connection), revision)
