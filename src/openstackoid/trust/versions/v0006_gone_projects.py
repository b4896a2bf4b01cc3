"""Since when a peer's project does not exist any more, by the peer's own word."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; an older program writes none, which means that the project exists."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("projects")}
    if "gone" not in columns:  # MariaDB has no transactions around changes of tables
        op.add_column("projects", sa.Column("gone", sa.BigInteger, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("projects", "gone")
