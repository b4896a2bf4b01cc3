"""How much of an image's data has been sent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("replicas_parts")}
    if "progress" not in columns:  # MariaDB has no transactions around changes of tables
        op.add_column("replicas_parts", sa.Column("progress", sa.BigInteger, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("replicas_parts", "progress")
